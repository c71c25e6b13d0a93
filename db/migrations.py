"""The schema, as append-only steps: a step that was ever released is never edited, only followed by another."""

from sqlite_utils import Database, Migrations

from db.text_index import enter

migrations = Migrations("songclip")


def _run(db: Database, script: str) -> None:
    for statement in script.split(";\n"):
        if statement.strip():
            db.execute(statement)


@migrations()
def m001_the_house(db: Database) -> None:
    """Everything of the first version."""
    _run(
        db,
        """
        CREATE TABLE home (key TEXT PRIMARY KEY, value TEXT NOT NULL);

        CREATE TABLE passages (
            id INTEGER PRIMARY KEY,
            source TEXT NOT NULL,
            work TEXT NOT NULL,
            chapter TEXT NOT NULL,
            text TEXT NOT NULL,
            text_hash TEXT NOT NULL,
            search_key TEXT NOT NULL,
            file_id TEXT NOT NULL DEFAULT '',
            edition TEXT NOT NULL DEFAULT '',
            page TEXT NOT NULL DEFAULT '',
            address TEXT NOT NULL DEFAULT '',
            generated INTEGER NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL,
            deleted_at TEXT
        );
        CREATE UNIQUE INDEX passages_unique ON passages (source, chapter, text_hash) WHERE deleted_at IS NULL;
        CREATE INDEX passages_work ON passages (work);
        CREATE INDEX passages_text_hash ON passages (text_hash);

        CREATE TABLE passage_revisions (
            id INTEGER PRIMARY KEY,
            passage_id INTEGER NOT NULL REFERENCES passages (id),
            source TEXT NOT NULL,
            chapter TEXT NOT NULL,
            text TEXT NOT NULL,
            edition TEXT NOT NULL,
            page TEXT NOT NULL,
            address TEXT NOT NULL,
            who TEXT NOT NULL,
            at TEXT NOT NULL
        );
        CREATE INDEX passage_revisions_passage ON passage_revisions (passage_id);

        CREATE TABLE suggestions (
            id INTEGER PRIMARY KEY,
            passage_id INTEGER NOT NULL REFERENCES passages (id),
            provider TEXT NOT NULL,
            model TEXT NOT NULL,
            prompt_version TEXT NOT NULL,
            parameters TEXT NOT NULL,
            raw TEXT NOT NULL,
            value TEXT,
            missing TEXT NOT NULL,
            error TEXT NOT NULL DEFAULT '',
            text_hash TEXT NOT NULL,
            tokens_in INTEGER NOT NULL DEFAULT 0,
            tokens_out INTEGER NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL
        );
        CREATE INDEX suggestions_passage ON suggestions (passage_id);

        CREATE TABLE annotations (
            passage_id INTEGER PRIMARY KEY REFERENCES passages (id),
            status TEXT NOT NULL,
            revision INTEGER NOT NULL,
            value TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            updated_by TEXT NOT NULL
        );
        CREATE INDEX annotations_status ON annotations (status);

        CREATE TABLE annotation_revisions (
            passage_id INTEGER NOT NULL REFERENCES passages (id),
            revision INTEGER NOT NULL,
            status TEXT NOT NULL,
            value TEXT NOT NULL,
            who TEXT NOT NULL,
            why TEXT NOT NULL,
            at TEXT NOT NULL,
            PRIMARY KEY (passage_id, revision)
        );

        CREATE TABLE images (
            id INTEGER PRIMARY KEY,
            sha256 TEXT NOT NULL UNIQUE,
            file_name TEXT NOT NULL,
            extension TEXT NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            title TEXT NOT NULL DEFAULT '',
            category TEXT NOT NULL DEFAULT 'other',
            source TEXT NOT NULL DEFAULT '',
            rights TEXT NOT NULL DEFAULT '',
            note TEXT NOT NULL DEFAULT '',
            work TEXT NOT NULL DEFAULT '',
            dhash TEXT NOT NULL DEFAULT '',
            search_key TEXT NOT NULL DEFAULT '',
            generated INTEGER NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL,
            deleted_at TEXT
        );

        CREATE TABLE pairs (
            passage_id INTEGER NOT NULL REFERENCES passages (id),
            image_id INTEGER NOT NULL REFERENCES images (id),
            note TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL,
            created_by TEXT NOT NULL,
            PRIMARY KEY (passage_id, image_id)
        );
        CREATE INDEX pairs_image ON pairs (image_id);

        CREATE TABLE datasets (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            hash TEXT NOT NULL,
            manifest TEXT NOT NULL,
            created_at TEXT NOT NULL
        );

        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL,
            lane TEXT NOT NULL,
            state TEXT NOT NULL,
            key TEXT NOT NULL,
            params TEXT NOT NULL,
            done INTEGER NOT NULL DEFAULT 0,
            total INTEGER NOT NULL DEFAULT 0,
            message TEXT NOT NULL DEFAULT '',
            details TEXT NOT NULL DEFAULT '{}',
            result TEXT NOT NULL DEFAULT '{}',
            error TEXT NOT NULL DEFAULT '',
            error_details TEXT NOT NULL DEFAULT '{}',
            stop_requested INTEGER NOT NULL DEFAULT 0,
            attempt INTEGER NOT NULL DEFAULT 1,
            created_at TEXT NOT NULL,
            started_at TEXT NOT NULL DEFAULT '',
            heartbeat_at TEXT NOT NULL DEFAULT '',
            finished_at TEXT NOT NULL DEFAULT ''
        );
        CREATE INDEX jobs_state ON jobs (state, lane);
        CREATE UNIQUE INDEX jobs_active ON jobs (key) WHERE state IN ('queued', 'starting', 'running');

        CREATE TABLE runs (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            dataset TEXT NOT NULL,
            dataset_hash TEXT NOT NULL,
            model TEXT NOT NULL,
            method TEXT NOT NULL,
            config TEXT NOT NULL,
            summary TEXT NOT NULL DEFAULT '{}',
            job_id INTEGER REFERENCES jobs (id),
            created_at TEXT NOT NULL
        );

        CREATE TABLE evaluations (
            id INTEGER PRIMARY KEY,
            dataset TEXT NOT NULL,
            dataset_hash TEXT NOT NULL,
            split TEXT NOT NULL,
            model TEXT NOT NULL,
            run TEXT NOT NULL DEFAULT '',
            figures TEXT NOT NULL,
            created_at TEXT NOT NULL
        );
        """,
    )


@migrations()
def m002_calls_and_prompts(db: Database) -> None:
    """Prompts as versioned records, every paid call, and jobs that wait for a key."""
    _run(
        db,
        """
        CREATE TABLE prompts (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            system TEXT NOT NULL,
            instructions TEXT NOT NULL,
            created_at TEXT NOT NULL,
            created_by TEXT NOT NULL,
            UNIQUE (name, version)
        );

        CREATE TABLE calls (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL,
            passage_id INTEGER NOT NULL REFERENCES passages (id),
            job_id INTEGER REFERENCES jobs (id),
            address TEXT NOT NULL,
            model TEXT NOT NULL,
            raw TEXT NOT NULL,
            finish_reason TEXT NOT NULL DEFAULT '',
            error TEXT NOT NULL DEFAULT '',
            tokens_in INTEGER NOT NULL DEFAULT 0,
            tokens_out INTEGER NOT NULL DEFAULT 0,
            seconds REAL NOT NULL DEFAULT 0,
            created_at TEXT NOT NULL
        );
        CREATE INDEX calls_key ON calls (key);
        CREATE INDEX calls_job ON calls (job_id, passage_id);

        ALTER TABLE suggestions ADD COLUMN key TEXT NOT NULL DEFAULT '';
        ALTER TABLE suggestions ADD COLUMN job_id INTEGER REFERENCES jobs (id);
        ALTER TABLE suggestions ADD COLUMN error_details TEXT NOT NULL DEFAULT '{}';
        CREATE UNIQUE INDEX suggestions_key ON suggestions (passage_id, key) WHERE key <> '';
        CREATE INDEX suggestions_job ON suggestions (job_id);

        ALTER TABLE jobs ADD COLUMN needs_key INTEGER NOT NULL DEFAULT 0;
        """,
    )


@migrations()
def m003_the_desk(db: Database) -> None:
    """Sittings and versions, what was set aside unmerged, what each part was made from, the queue, the guidelines."""
    _run(
        db,
        """
        ALTER TABLE annotations ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE annotations ADD COLUMN sitting TEXT NOT NULL DEFAULT '';
        ALTER TABLE annotations ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE annotations ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE annotations ADD COLUMN made TEXT NOT NULL DEFAULT '{}';
        ALTER TABLE annotations ADD COLUMN stale INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE annotations ADD COLUMN problems INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE annotations ADD COLUMN disputed INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE annotations ADD COLUMN agreement REAL;
        UPDATE annotations SET version = revision;

        ALTER TABLE annotation_revisions ADD COLUMN began_at TEXT NOT NULL DEFAULT '';
        UPDATE annotation_revisions SET began_at = at;
        CREATE INDEX annotation_revisions_who ON annotation_revisions (who, at);
        CREATE INDEX suggestions_model ON suggestions (model, passage_id);

        CREATE TABLE unmerged (
            id INTEGER PRIMARY KEY,
            passage_id INTEGER NOT NULL REFERENCES passages (id),
            sitting TEXT NOT NULL,
            who TEXT NOT NULL,
            base TEXT NOT NULL,
            value TEXT NOT NULL,
            seq INTEGER NOT NULL DEFAULT 0,
            at TEXT NOT NULL,
            UNIQUE (passage_id, sitting)
        );

        CREATE TABLE guidelines (
            id INTEGER PRIMARY KEY,
            text TEXT NOT NULL,
            who TEXT NOT NULL,
            at TEXT NOT NULL
        );

        CREATE INDEX passages_order ON passages (work, id) WHERE deleted_at IS NULL;
        """,
    )


@migrations()
def m004_text_search(db: Database) -> None:
    """The text index, filled, and indexes that hold all that the queue and the progress ask for."""
    _run(
        db,
        """
        CREATE VIRTUAL TABLE passage_search USING fts5 (text, content='', columnsize=0, tokenize='ascii');

        DROP INDEX passages_order;
        CREATE INDEX passages_order ON passages (deleted_at, work, id);
        CREATE INDEX passages_titles ON passages (deleted_at, work, source);
        CREATE INDEX annotations_queue ON annotations (passage_id, status, problems, disputed, stale, agreement);
        CREATE INDEX annotation_revisions_people ON annotation_revisions (who, passage_id, why, status, at);
        CREATE INDEX suggestions_readable ON suggestions (model, passage_id) WHERE value IS NOT NULL;
        """,
    )
    enter(db, db.execute("SELECT id, search_key FROM passages"))


@migrations()
def m005_refused_pairs(db: Database) -> None:
    """What somebody found not to belong together: training pushes it apart."""
    _run(
        db,
        """
        CREATE TABLE refused_pairs (
            passage_id INTEGER NOT NULL REFERENCES passages (id),
            image_id INTEGER NOT NULL REFERENCES images (id),
            note TEXT NOT NULL DEFAULT '',
            created_at TEXT NOT NULL,
            created_by TEXT NOT NULL,
            PRIMARY KEY (passage_id, image_id)
        );
        CREATE INDEX refused_pairs_image ON refused_pairs (image_id);
        """,
    )
