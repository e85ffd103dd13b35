"""A help desk's history of more than 50 revisions: hash ids, branches, merges, `depends_on`, batch mode in most of them."""
