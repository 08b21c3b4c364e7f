"""The words of the field, spelt as CUCM prints them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = [
    "MODE_PARAMETER",
    "PORTS",
    "SERVED_BY",
    "CertUnit",
    "DeviceClass",
    "Interface",
    "KeyAlgorithm",
    "ListKind",
    "Product",
    "Release",
    "SecurityMode",
    "Service",
    "TrustRole",
]


class CertUnit(StrEnum):
    """A certificate kind, named as ``show cert list own`` prints it."""

    TOMCAT = "tomcat"
    TOMCAT_ECDSA = "tomcat-ECDSA"
    IPSEC = "ipsec"
    CAPF = "CAPF"
    CALLMANAGER = "CallManager"
    CALLMANAGER_ECDSA = "CallManager-ECDSA"
    TVS = "TVS"
    ITLRECOVERY = "ITLRecovery"
    CUP = "cup"
    CUP_ECDSA = "cup-ECDSA"
    CUP_XMPP = "cup-xmpp"
    CUP_XMPP_ECDSA = "cup-xmpp-ECDSA"
    CUP_XMPP_S2S = "cup-xmpp-s2s"
    CUP_XMPP_S2S_ECDSA = "cup-xmpp-s2s-ECDSA"


MODE_PARAMETER: Final = "ClusterSecurityMode"
"""The enterprise parameter that says the cluster's security mode."""

PORTS: Final[Mapping[CertUnit, int]] = MappingProxyType(
    {
        CertUnit.TOMCAT: 8443,
        CertUnit.TOMCAT_ECDSA: 8443,
        CertUnit.TVS: 2445,
        CertUnit.CALLMANAGER: 5061,
        CertUnit.CAPF: 3804,
    }
)
"""The TCP port on which a certificate in service is presented (procedures §8, trust lists §4)."""


class Service(StrEnum):
    """A service, named as ``utils service list`` prints it."""

    TOMCAT = "Cisco Tomcat"
    SSOSP_TOMCAT = "Cisco SSOSP Tomcat"
    UDS_TOMCAT = "Cisco UDS Tomcat"
    AXL_TOMCAT = "Cisco AXL Tomcat"
    HAPROXY = "Cisco HAProxy"
    CALLMANAGER = "Cisco CallManager"
    CTIMANAGER = "Cisco CTIManager"
    TVS = "Cisco Trust Verification Service"
    TFTP = "Cisco Tftp"
    CAPF = "Cisco Certificate Authority Proxy Function"
    DRF_MASTER = "Cisco DRF Master"
    DRF_LOCAL = "Cisco DRF Local"
    INTERCLUSTER_LOOKUP = "Cisco Intercluster Lookup Service"
    LOCATION_BANDWIDTH_MANAGER = "Cisco Location Bandwidth Manager"
    EXTENSION_MOBILITY = "Cisco Extension Mobility"
    CERTIFICATE_CHANGE_NOTIFICATION = "Cisco Certificate Change Notification"
    CERTIFICATE_EXPIRY_MONITOR = "Cisco Certificate Expiry Monitor"
    PLATFORM_ADMINISTRATIVE_WEB = "Platform Administrative Web Service"
    INTERCLUSTER_SYNC_AGENT = "Cisco Intercluster Sync Agent"
    SIP_PROXY = "Cisco SIP Proxy"
    PRESENCE_ENGINE = "Cisco Presence Engine"
    XCP_ROUTER = "Cisco XCP Router"
    XCP_FEDERATION = "Cisco XCP XMPP Federation Connection Manager"


class Interface(StrEnum):
    """A way in which a node is reached; each has its own account, limits and moods."""

    SSH = "platform CLI"
    AXL = "AXL"
    CONTROL_CENTER = "Control Center"
    RISPORT = "RISPort70"
    PERFMON = "PerfMon"
    PLATFORM_REST = "platform REST"
    TFTP_HTTP = "HTTP 6970"
    TLS = "TLS handshake"


class KeyAlgorithm(Enum):
    """Of a certificate's key: a port with two certificates presents the one that is asked for."""

    RSA = "RSA"
    EC = "EC"


SERVED_BY: Final[Mapping[CertUnit, Service]] = MappingProxyType(
    {
        CertUnit.TOMCAT: Service.TOMCAT,
        CertUnit.TOMCAT_ECDSA: Service.TOMCAT,
        CertUnit.TVS: Service.TVS,
        CertUnit.CALLMANAGER: Service.CALLMANAGER,
        CertUnit.CAPF: Service.CAPF,
    }
)
"""The service that presents a certificate on its port."""


class DeviceClass(StrEnum):
    """Kinds of devices, as RISPort70 selects them (DeviceClass)."""

    PHONE = "Phone"
    GATEWAY = "Gateway"
    H323 = "H323"
    CTI = "Cti"
    VOICE_MAIL = "VoiceMail"
    MEDIA_RESOURCES = "MediaResources"
    HUNT_LIST = "HuntList"
    SIP_TRUNK = "SIPTrunk"


class ListKind(Enum):
    """The two trust lists that phones load."""

    ITL = "ITL"
    CTL = "CTL"

    @property
    def file_name(self) -> str:
        """The name under which every TFTP node serves the list."""
        return f"{self.value}File.tlv"


class TrustRole(IntEnum):
    """FUNCTION of a trust-list record (``certificatetrustrolemap.tktrustrole``)."""

    SAST = 0
    CCM = 1
    CCM_TFTP = 2
    TFTP = 3
    CAPF = 4
    APP_SERVER = 7
    TVS = 21


class Product(StrEnum):
    """What a node runs, as ``show network cluster`` names it."""

    CALLMANAGER = "callmanager"
    IM_PRESENCE = "cups"


class SecurityMode(Enum):
    """Enterprise parameter Cluster Security Mode: 0 is non-secure, 1 is mixed."""

    NON_SECURE = "0"
    MIXED = "1"


class Release(NamedTuple):
    """A release of the platform, for example 11.5; the rest of the version is kept as text."""

    major: int
    minor: int
    full: str = ""

    @classmethod
    def parse(cls, text: str) -> Release:
        """Read ``11.5``, ``14``, ``14SU2`` or ``11.5.1.12900-21``.

        Raises:
            ValueError: *text* does not begin with a number that could be a release.
        """
        match = _RELEASE.fullmatch(text.strip())
        if match is None:
            expected = "a release such as 11.5, 14SU2 or 11.5.1.12900-21"
            message = f"expected {expected}, saw {text[:40]!r}"
            raise ValueError(message)
        return cls(int(match[1]), int(match[2] or 0), text.strip())

    @property
    def short(self) -> tuple[int, int]:
        """Major and minor alone, for comparing with the ranges of the tables."""
        return (self.major, self.minor)

    @property
    def service_update(self) -> int | None:
        """The number of the service update: 2 for ``14SU2`` and for ``14.0.1.12900-161``.

        None where the text does not say. The fourth part of a version is 10000 for none and
        1N900 for SU N (assumption: read off the versions that Cisco's texts name).
        """
        named = _SERVICE_UPDATE.search(self.full)
        if named:
            return int(named[1])
        built = _BUILD.fullmatch(self.full)
        return int(built[1]) if built else None

    def __str__(self) -> str:
        return self.full or f"{self.major}.{self.minor}"


_RELEASE: Final = re.compile(
    r"(\d{1,2})(?:\.(\d{1,2}))?(?:\(\d+\))?((?:\.\d+)*(?:-\d+)?|\s?SU\d{1,2})", re.IGNORECASE
)
_SERVICE_UPDATE: Final = re.compile(r"SU(\d{1,2})$", re.IGNORECASE)
_BUILD: Final = re.compile(r"\d+\.\d+\.\d+\.1(\d)\d{3}(?:-\d+)?")
