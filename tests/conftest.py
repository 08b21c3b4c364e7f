"""Holds every document that a command prints in any test against the schema of its kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cucm_certflow.cli import documents
from tests.documents import document


@pytest.fixture(scope="session", autouse=True)
def documents_keep_to_their_schemas() -> Iterator[None]:
    write = documents.as_document

    def checked(kind: documents.DocumentKind, value: object) -> str:
        text = write(kind, value)
        document(text, kind.value.partition("/")[0])
        return text

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "as_document", checked)
        yield
