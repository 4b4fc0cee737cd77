# Gives answers a Cache-Control header where the origin wrote none.
#
# Attach at:  origin-response, runtime python (handler lambda_handler)
# Edit:       RULES, read from top to bottom, the first match wins: a path pattern (* stands for anything), the start of
#             a content type ("" for any), the header's value
#
# Only successful answers to GET and HEAD are touched, and only if they carry neither Cache-Control nor Expires.
# An answer that sets a cookie is somebody's own: it is never made public. Without a matching rule nothing is added.
# The function runs before the answer is stored, so the edge's own cache obeys the value too.

from fnmatch import fnmatchcase

RULES = (
    ("/assets/*", "", "public, max-age=31536000, immutable"),
    ("/api/*", "", "no-store"),
    ("*", "text/html", "public, max-age=60, stale-while-revalidate=30"),
    ("*", "text/css", "public, max-age=3600"),
    ("*", "text/javascript", "public, max-age=3600"),
    ("*", "image/", "public, max-age=86400"),
    ("*", "font/", "public, max-age=604800"),
)
FOR_COOKIES = "private, no-cache"


def choose(uri, headers):
    """The value for this answer, or None where no rule matches."""
    if "set-cookie" in headers:
        return FOR_COOKIES
    lines = headers.get("content-type", [])
    content_type = lines[0]["value"].strip().lower() if lines else ""
    for pattern, kind, value in RULES:
        if fnmatchcase(uri, pattern) and content_type.startswith(kind):
            return value
    return None


def lambda_handler(event, context):
    cf = event["Records"][0]["cf"]
    request, response = cf["request"], cf["response"]
    headers = response["headers"]
    if request["method"] not in ("GET", "HEAD") or str(response["status"]) != "200":
        return response
    if "cache-control" in headers or "expires" in headers:
        return response
    value = choose(request["uri"], headers)
    if value is not None:
        headers["cache-control"] = [{"key": "Cache-Control", "value": value}]
    return response
