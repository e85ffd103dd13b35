-- Sequelize 6, sync({ alter: true }) on PostgreSQL: quoted camelCase and a native ENUM for each column of that kind.
CREATE TABLE IF NOT EXISTS "SequelizeMeta" ("name" VARCHAR(255) NOT NULL UNIQUE, PRIMARY KEY ("name"));
CREATE TYPE "public"."enum_datasets_status" AS ENUM('pending', 'processing', 'ready', 'error');
CREATE TABLE IF NOT EXISTS "datasets" ("id" UUID, "userId" VARCHAR(255) NOT NULL, "name" VARCHAR(255) NOT NULL, "status" "public"."enum_datasets_status" NOT NULL DEFAULT 'pending', "rowCount" INTEGER DEFAULT 0, "isPublic" BOOLEAN NOT NULL DEFAULT false, "schema" JSONB, "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY ("id"));
CREATE INDEX "datasets_user_id" ON "datasets" ("userId");
CREATE TYPE "public"."enum_reports_kind" AS ENUM('summary', 'detailed', 'it''s');
CREATE TABLE IF NOT EXISTS "reports" ("id" UUID, "datasetId" UUID REFERENCES "datasets" ("id") ON DELETE SET NULL ON UPDATE CASCADE, "title" VARCHAR(255) NOT NULL, "kind" "public"."enum_reports_kind" DEFAULT 'summary', "content" JSONB, "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY ("id"));
CREATE UNIQUE INDEX "reports_dataset_id_title" ON "reports" ("datasetId", "title");

INSERT INTO "SequelizeMeta" VALUES ('20230101120000-create-datasets.js'), ('20230615083000-create-reports.js');
INSERT INTO "datasets" VALUES
    ('aaaaaaaa-0000-4000-8000-000000000001', 'auth0|77', 'Sales', 'ready', 120000, true, '[{"name":"amount"}]', '2023-01-02 10:00:00+00', '2023-01-02 10:00:00+00'),
    ('aaaaaaaa-0000-4000-8000-000000000002', 'auth0|78', 'Räume', 'pending', NULL, false, NULL, '2023-01-03 10:00:00+00', '2023-01-03 10:00:00+00');
INSERT INTO "reports" VALUES
    ('bbbbbbbb-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-000000000001', 'Q1', 'summary', '{"text":"fine"}', '2023-04-01 00:00:00+00', '2023-04-01 00:00:00+00');
