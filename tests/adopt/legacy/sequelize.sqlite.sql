-- Sequelize 6, sync({ alter: true }) on SQLite: backticks, DATETIME, TINYINT(1), an ENUM that became TEXT.
CREATE TABLE IF NOT EXISTS `SequelizeMeta` (`name` VARCHAR(255) NOT NULL UNIQUE PRIMARY KEY);
CREATE TABLE IF NOT EXISTS `datasets` (`id` UUID PRIMARY KEY, `userId` VARCHAR(255) NOT NULL, `name` VARCHAR(255) NOT NULL, `status` TEXT NOT NULL DEFAULT 'pending', `rowCount` INTEGER DEFAULT 0, `isPublic` TINYINT(1) NOT NULL DEFAULT 0, `schema` JSON, `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL);
CREATE TABLE IF NOT EXISTS `reports` (`id` UUID PRIMARY KEY, `datasetId` UUID REFERENCES `datasets` (`id`) ON DELETE SET NULL ON UPDATE CASCADE, `title` VARCHAR(255) NOT NULL, `kind` TEXT DEFAULT 'summary', `content` JSON, `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL);
CREATE INDEX `datasets_user_id` ON `datasets` (`userId`);
CREATE UNIQUE INDEX `reports_dataset_id_title` ON `reports` (`datasetId`, `title`);

INSERT INTO `SequelizeMeta` VALUES ('20230101120000-create-datasets.js'), ('20230615083000-create-reports.js');
INSERT INTO `datasets` VALUES
    ('aaaaaaaa-0000-4000-8000-000000000001', 'auth0|77', 'Sales', 'ready', 120000, 1, '[{"name":"amount"}]', '2023-01-02 10:00:00.000 +00:00', '2023-01-02 10:00:00.000 +00:00'),
    ('aaaaaaaa-0000-4000-8000-000000000002', 'auth0|78', 'Räume', 'pending', NULL, 0, NULL, '2023-01-03 10:00:00.000 +00:00', '2023-01-03 10:00:00.000 +00:00');
INSERT INTO `reports` VALUES
    ('bbbbbbbb-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-000000000001', 'Q1', 'summary', '{"text":"fine"}', '2023-04-01 00:00:00.000 +00:00', '2023-04-01 00:00:00.000 +00:00');
