"""All guides, in the order in which they are listed."""

from __future__ import annotations

from quota.tool_guides import claude_code, cursor, hermes_agent, openclaw, other, quickstart, trae
from quota.tool_guides.parts import Guide

QUICKSTART = quickstart.GUIDE
TOOLS: dict[str, Guide] = {
    guide.slug: guide
    for guide in (
        claude_code.GUIDE,
        openclaw.GUIDE,
        cursor.GUIDE,
        trae.GUIDE,
        hermes_agent.GUIDE,
        other.GUIDE,
    )
}
GUIDES = {**TOOLS, QUICKSTART.slug: QUICKSTART}
