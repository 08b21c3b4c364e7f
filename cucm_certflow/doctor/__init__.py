"""Whether everything that a run needs of each node can be had; what to mend, and how."""

from cucm_certflow.doctor.examining import examine
from cucm_certflow.doctor.signs import Area, DoctorReport, Sign

__all__ = ["Area", "DoctorReport", "Sign", "examine"]
