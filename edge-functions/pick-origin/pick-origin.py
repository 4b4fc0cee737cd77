# Sends requests to one of several copies of the site by a header or a cookie: a release under test, a branch, a tenant.
#
# Attach at:  origin-request, runtime python (handler lambda_handler)
# Edit:       HEADER and COOKIE (who says which copy; the header wins), COPIES (name -> folder at the origin), DEFAULT
#
# The folder is put behind the origin's own path, or before the request's path where the origin is a plain folder.
# Origin hooks see only what the cache policy forwards, so name the header and the cookie there
# (`headers = { include = ["x-release"] }`, `cookies = { include = ["release"] }`): that also caches the copies apart.
# Names that are not listed count as DEFAULT, so nobody can ask for other folders.

HEADER = "x-release"
COOKIE = "release"
COPIES = {"stable": "/releases/stable", "beta": "/releases/beta"}
DEFAULT = "stable"


def asked_for(headers):
    """The name that the request asks for, or None."""
    for line in headers.get(HEADER, []):
        return line["value"].strip()
    for line in headers.get("cookie", []):
        for pair in line["value"].split(";"):
            name, _, value = pair.partition("=")
            if name.strip() == COOKIE:
                return value.strip()
    return None


def lambda_handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    name = asked_for(request["headers"])
    if name not in COPIES:
        name = DEFAULT
    origin = request.get("origin") or {}
    place = origin.get("custom") or origin.get("s3")
    if place is not None:
        place["path"] = place.get("path", "").rstrip("/") + COPIES[name]
    else:
        request["uri"] = COPIES[name] + request["uri"]
    request["headers"]["x-picked-copy"] = [{"key": "X-Picked-Copy", "value": name}]
    return request
