"""Parameters that may be given by place or by name, of the calls that migrations are made of."""

from __future__ import annotations

_OF_ALEMBIC = {
    "add_column": "table_name column",
    "drop_column": "table_name column_name",
    "alter_column": "table_name column_name",
    "rename_table": "old_table_name new_table_name",
    "create_index": "index_name table_name columns",
    "drop_index": "index_name table_name",
    "drop_constraint": "constraint_name table_name type_",
    "create_unique_constraint": "constraint_name table_name columns",
    "create_check_constraint": "constraint_name table_name condition",
    "create_foreign_key": "constraint_name source_table referent_table local_cols remote_cols",
}
_OF_DJANGO = {
    "CreateModel": "name fields options bases managers",
    "DeleteModel": "name",
    "RenameModel": "old_name new_name",
    "AlterModelTable": "name table",
    "AlterModelTableComment": "name table_comment",
    "AlterModelOptions": "name options",
    "AlterModelManagers": "name managers",
    "AlterUniqueTogether": "name unique_together",
    "AlterIndexTogether": "name index_together",
    "AlterOrderWithRespectTo": "name order_with_respect_to",
    "AddField": "model_name name field preserve_default",
    "AlterField": "model_name name field preserve_default",
    "RemoveField": "model_name name",
    "RenameField": "model_name old_name new_name",
    "AddIndex": "model_name index",
    "AddIndexConcurrently": "model_name index",
    "RemoveIndex": "model_name name",
    "RemoveIndexConcurrently": "model_name name",
    "RenameIndex": "model_name new_name old_name old_fields",
    "AddConstraint": "model_name constraint",
    "AddConstraintNotValid": "model_name constraint",
    "RemoveConstraint": "model_name name",
    "AlterConstraint": "model_name name constraint",
    "ValidateConstraint": "model_name name",
    "RunSQL": "sql reverse_sql state_operations hints elidable",
    "RunPython": "code reverse_code atomic hints elidable",
    "SeparateDatabaseAndState": "database_operations state_operations",
}


def named_places(called: str) -> tuple[str, ...]:
    """Given the dotted name of what is called, return its parameters in order, none where they are not known."""
    directive = called.partition("alembic.op.")[2]
    if directive:
        return tuple(_OF_ALEMBIC.get(directive, "").split())
    return django_parameters(called)


def django_parameters(called: str) -> tuple[str, ...]:
    """As `named_places`, for the operations that Django itself provides."""
    return tuple(_OF_DJANGO.get(called.rpartition(".")[2], "").split()) if called.startswith("django.") else ()
