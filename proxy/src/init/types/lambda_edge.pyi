# Lambda@Edge: events and results of all four hooks, for functions in Python. Editors read them where a function asks for them:
#
#   from __future__ import annotations
#   from typing import TYPE_CHECKING
#   if TYPE_CHECKING:
#       from lambda_edge import CloudFrontResponseEvent, CloudFrontResponseResult, Context
#
#   def lambda_handler(event: CloudFrontResponseEvent, context: Context) -> CloudFrontResponseResult:
#       return event["Records"][0]["cf"]["response"]
#
# Only the checker imports this; while a function runs it is not there.

from typing import Literal, NotRequired, Protocol, TypedDict

class CloudFrontHeader(TypedDict):
    # The name in the case that is sent.
    key: NotRequired[str]
    value: str

# By name in lower case.
CloudFrontHeaders = dict[str, list[CloudFrontHeader]]

class CloudFrontCustomOrigin(TypedDict):
    customHeaders: CloudFrontHeaders
    domainName: str
    # Seconds, 1 to 120.
    keepaliveTimeout: int
    # In front of the request's own; begins with "/", or is empty.
    path: str
    port: int
    protocol: Literal["http", "https"]
    # Seconds, 1 to 120.
    readTimeout: int
    sslProtocols: list[str]

class CloudFrontS3Origin(TypedDict):
    authMethod: Literal["origin-access-identity", "none"]
    customHeaders: CloudFrontHeaders
    domainName: str
    path: str
    # With "origin-access-identity" only.
    region: NotRequired[str]

# One of the two.
class CloudFrontOrigin(TypedDict):
    custom: NotRequired[CloudFrontCustomOrigin]
    s3: NotRequired[CloudFrontS3Origin]

class CloudFrontBody(TypedDict):
    # "replace": data goes on instead of the viewer's.
    action: Literal["read-only", "replace"]
    data: str
    encoding: Literal["base64", "text"]
    # Only the beginning is shown.
    inputTruncated: bool

class CloudFrontRequest(TypedDict):
    # With include_body only.
    body: NotRequired[CloudFrontBody]
    clientIp: str
    method: str
    # The path, not percent-decoded.
    uri: str
    # Without "?".
    querystring: str
    headers: CloudFrontHeaders
    # At origin-request and origin-response.
    origin: NotRequired[CloudFrontOrigin]

# What the origin, or the cache, answered. Its body is not shown; a result may replace it.
class CloudFrontResponse(TypedDict):
    status: str
    statusDescription: str
    headers: CloudFrontHeaders

# An answer in place of the origin's, or of what it answered.
class CloudFrontResultResponse(TypedDict):
    status: str
    statusDescription: NotRequired[str]
    headers: NotRequired[CloudFrontHeaders]
    bodyEncoding: NotRequired[Literal["text", "base64"]]
    body: NotRequired[str]

class CloudFrontConfig(TypedDict):
    distributionDomainName: str
    distributionId: str
    eventType: Literal["origin-request", "origin-response", "viewer-request", "viewer-response"]
    requestId: str

class CloudFrontRequestCf(TypedDict):
    config: CloudFrontConfig
    request: CloudFrontRequest

class CloudFrontRequestEventRecord(TypedDict):
    cf: CloudFrontRequestCf

# At viewer-request and origin-request.
class CloudFrontRequestEvent(TypedDict):
    Records: list[CloudFrontRequestEventRecord]

class CloudFrontResponseCf(TypedDict):
    config: CloudFrontConfig
    request: CloudFrontRequest
    response: CloudFrontResponse

class CloudFrontResponseEventRecord(TypedDict):
    cf: CloudFrontResponseCf

# At origin-response and viewer-response.
class CloudFrontResponseEvent(TypedDict):
    Records: list[CloudFrontResponseEventRecord]

# The request goes on, or a response is the answer.
CloudFrontRequestResult = CloudFrontRequest | CloudFrontResultResponse | None
CloudFrontResponseResult = CloudFrontResponse | CloudFrontResultResponse | None

# The second argument of a handler.
class Context(Protocol):
    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    def get_remaining_time_in_millis(self) -> int: ...
