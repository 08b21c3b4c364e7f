"""What Cisco Tftp of one node has counted since it started: who asked for files, and got them."""

from __future__ import annotations

from http import HTTPStatus

import attrs

__all__ = ["TftpCounters"]


@attrs.define(eq=False, kw_only=True)
class TftpCounters:
    """Counts of one node, from 0 whenever its Cisco Tftp starts.

    Attributes:
        processed: Files served over TFTP proper (UDP 69); the lab's phones without Security By
            Default load in this way, which is the lab's invention.
        not_found: What was not there over TFTP proper.
        http_processed: Files served over HTTP 6970.
        http_not_found: 404 over HTTP 6970.
        http_busy: 503 over HTTP 6970.
        phone_files: Configuration files of phones that were served.
        signed: Those of them that were signed.
    """

    processed: int = 0
    not_found: int = 0
    http_processed: int = 0
    http_not_found: int = 0
    http_busy: int = 0
    phone_files: int = 0
    signed: int = 0

    @property
    def http_requests(self) -> int:
        """All requests over HTTP."""
        return self.http_processed + self.http_not_found + self.http_busy

    def answered(self, status: int) -> None:
        """Somebody asked for a file over HTTP, and got *status*; one but 200, 404, 503 is none."""
        match status:
            case HTTPStatus.OK:
                self.http_processed += 1
            case HTTPStatus.NOT_FOUND:
                self.http_not_found += 1
            case HTTPStatus.SERVICE_UNAVAILABLE:
                self.http_busy += 1
            case _:
                pass

    def visited(self, *, has_ctl: bool, by_default: bool) -> None:
        """A phone loaded what it loads when it boots: CTL, ITL and its configuration.

        Args:
            has_ctl: Whether there was a CTL to be served.
            by_default: Whether the phone has Security By Default: it asks for the ITL too, over
                HTTP, and gets a signed configuration (Cisco document 214528 has such a visit).
        """
        found, missing = 1 + has_ctl + by_default, int(not has_ctl)
        self.phone_files += 1
        if by_default:
            self.signed += 1
            self.http_processed += found
            self.http_not_found += missing
        else:
            self.processed += found
            self.not_found += missing
