"""The rescue kit: what a cluster shows and serves, saved on disk before the first change.

Certificates and trust lists are public, so a kit holds no secret. The one that matters most for a
rescue, ITLRecovery's key pair, is never read over any interface: a person exports it (field notes,
§8; security guide 12.5(1)SU6, Default Security), and :func:`proof_of_p12` says that it is there.
"""

from cucm_certflow.rescue.keypair import proof_of_p12
from cucm_certflow.rescue.kit import (
    TRUST_STORES,
    KitFile,
    KitNode,
    KitRemark,
    RescueKit,
    check_rescue_kit,
)
from cucm_certflow.rescue.saving import save_rescue_kit

__all__ = [
    "TRUST_STORES",
    "KitFile",
    "KitNode",
    "KitRemark",
    "RescueKit",
    "check_rescue_kit",
    "proof_of_p12",
    "save_rescue_kit",
]
