"""The README.txt of every store: how to restore by hand, without ics-guard."""

README = """\
These are backups made by ics-guard. You do not need ics-guard to restore them.

sqlite/NAME.db.zst        a whole SQLite database, compressed with zstd
sqlite/NAME.db.zst.json   when and from what it was taken, its hashes and row counts
ledger/00000001.json …    what was done: backups, drills, gates, restores

To bring a database back by hand, in the folder above this one (here: the project, with its database at data/app.db and
this store at backups; put your own names):

 1. Stop every program that uses it.
 2. Keep what is there now, with its companions (missing ones are fine):
        mkdir kept && cp -p data/app.db data/app.db-wal data/app.db-shm data/app.db-journal kept/
 3. Unpack the backup and check it (the second command must print: ok):
        zstd -d backups/sqlite/NAME.db.zst -o restored.db
        sqlite3 restored.db "PRAGMA integrity_check;"
    `sha256sum restored.db` must be the content_sha256 in sqlite/NAME.db.zst.json.
 4. Remove the companions of the old database, or they will undo the restore:
        rm -f data/app.db-wal data/app.db-shm data/app.db-journal
 5. Put the restored database in place:
        cp restored.db data/app.db
 6. Start the programs again and look whether all is well.

Which backup was drilled, and when, is in the ledger: look for "event": "drill" with "ok": true.
A file with "salvage" in its name is a byte copy of a database that was damaged when it was taken.
"""
