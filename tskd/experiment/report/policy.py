"""What a browser is told that the page may do: nothing but show itself."""

from __future__ import annotations

import base64
import hashlib


def content_security_policy(style: str) -> str:
    """The policy of a page whose only `<style>` holds this text: no script, nothing from elsewhere, no other style."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    allowed = {"style-src": f"'sha256-{digest}'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}
    return "; ".join(f"{name} {values}" for name, values in {"default-src": "'none'", **allowed}.items())
