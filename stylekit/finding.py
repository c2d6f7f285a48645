"""What is found when the machine is looked over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Report"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. "absent" is an offer not taken up, "fault" something to mend."""

    section: str
    name: str
    state: Literal["fine", "absent", "fault"]
    text: str


@dataclass(frozen=True)
class Report:
    """All findings; as text, a section a paragraph."""

    findings: tuple[Finding, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether there is no fault."""
        return not any(finding.state == "fault" for finding in self.findings)

    def __str__(self) -> str:
        lines: list[str] = []
        width = max(len(finding.name) for finding in self.findings)
        for section in dict.fromkeys(finding.section for finding in self.findings):
            lines += ["", section]
            for finding in self.findings:
                if finding.section == section:
                    sign = {"fine": " ", "absent": "-", "fault": "!"}[finding.state]
                    lines.append(f"{sign} {finding.name:<{width}}  {finding.text}")
        faults = sum(finding.state == "fault" for finding in self.findings)
        return "\n".join([*lines[1:], "", f"{faults} to mend (!)" if faults else "nothing to mend"])
