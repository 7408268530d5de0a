"""The published values that every implementation must reproduce."""

import json
from pathlib import Path

VECTORS = json.loads((Path(__file__).parents[2] / "testdata" / "vectors.json").read_text(encoding="utf-8"))
"""The same file that the Go client is tested with."""

STANDARD = [one for one in VECTORS["standardWebhooks"] if one["scheme"] == "v1"]


def standard_headers(vector, **over):
    """The headers of a Standard Webhooks vector."""
    return {
        "webhook-id": vector["id"],
        "webhook-timestamp": str(vector["timestamp"]),
        "webhook-signature": vector["signature"],
        **over,
    }
