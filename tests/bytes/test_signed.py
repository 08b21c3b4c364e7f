"""Signed configuration files: who signed one, and that no rubbish has a signer."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cucm_certflow.errors import UnknownLayout
from cucm_certflow.lab.physics.world import Cert
from cucm_certflow.lab.render import Renderer
from cucm_certflow.names import CertUnit
from cucm_certflow.trust.signed import (
    CONFIGURATION_VERSION,
    DigestAlgorithm,
    sign_file,
    signer_serial,
)
from cucm_certflow.trust.x509 import certificate_from_der

NAME = "SEP001122334455.cnf.xml.sgn"
MADE = Renderer().certificate(Cert(CertUnit.CALLMANAGER, "pub", 1))


def signed(digest: DigestAlgorithm = DigestAlgorithm.SHA512) -> bytes:
    return sign_file(
        NAME,
        b"<device/>",
        MADE.der,
        MADE.private_key,
        version=CONFIGURATION_VERSION,
        digest_algorithm=digest,
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("digest", DigestAlgorithm)
def test_signer_is_named_as_its_certificate_names_itself(digest: DigestAlgorithm) -> None:
    assert signer_serial(signed(digest)) == certificate_from_der(MADE.der).serial


def test_plain_file_follows_the_header() -> None:
    assert signed().endswith(b"<device/>")


def test_file_that_is_cut_within_its_header_has_no_signer() -> None:
    whole = signed()
    header = len(whole) - len(b"<device/>")
    for length in range(header):
        with pytest.raises(UnknownLayout):
            signer_serial(whole[:length])


@given(st.binary(max_size=400))
def test_rubbish_is_unreadable_or_names_a_serial_but_never_crashes(data: bytes) -> None:
    with contextlib.suppress(UnknownLayout):
        assert isinstance(signer_serial(data), str)
