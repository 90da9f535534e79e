"""Verifies a webhook as the published Standard Webhooks say, with nothing of Toehold's. Reads JSON
with the secret, the headers, the body and the time now; ends with 0 where it is believed."""

import base64
import hashlib
import hmac
import json
import sys

TOLERANCE_S = 5 * 60

given = json.load(sys.stdin)
headers = {name.lower(): value for name, value in given["headers"].items()}
key = base64.b64decode(given["secret"].removeprefix("whsec_"), validate=True)
message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
assert "." not in message_id, "an id must not have the separator in it"
if abs(given["now_s"] - int(timestamp)) > TOLERANCE_S:
    sys.exit("too old or too new")
signed = f"{message_id}.{timestamp}.{given['body']}".encode()
expected = hmac.new(key, signed, hashlib.sha256).digest()
for signature in headers["webhook-signature"].split(" "):
    version, _, value = signature.partition(",")
    if version == "v1" and hmac.compare_digest(base64.b64decode(value), expected):
        sys.exit(0)
sys.exit("no signature fits")
