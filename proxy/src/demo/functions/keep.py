# origin-response: runs when the origin has answered, before the answer is stored.

from datetime import datetime, timezone

MAX_AGE = {"text/html": 30, "text/css": 3600}  # seconds by content type
OTHERS = 300


def lambda_handler(event, context):
    cf = event["Records"][0]["cf"]
    response = cf["response"]
    headers = response["headers"]
    if response["status"] != "200":
        return response

    lines = headers.get("content-type", [])
    content_type = lines[0]["value"].split(";")[0] if lines else ""
    seconds = MAX_AGE.get(content_type, OTHERS)
    headers["cache-control"] = [{"key": "Cache-Control", "value": f"public, max-age={seconds}"}]

    # Both are stored with the answer: a hit repeats them as they are.
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers["x-demo-stored-at"] = [{"key": "X-Demo-Stored-At", "value": now}]
    headers["x-demo-stored-by"] = [{"key": "X-Demo-Stored-By", "value": "keep.py"}]

    # What ask.js told the origin, shown to the viewer.
    if "x-demo-origin" in cf["request"]["headers"]:
        headers["x-demo-origin"] = cf["request"]["headers"]["x-demo-origin"]
    return response
