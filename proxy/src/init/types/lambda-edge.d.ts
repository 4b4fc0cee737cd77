// Lambda@Edge: events and results of all four hooks. Names are those of @types/aws-lambda, here global, so that no import is
// needed:
//
//   /** @param {CloudFrontResponseEvent} event  @returns {Promise<CloudFrontResponseResult>} */
//   exports.handler = async (event) => event.Records[0].cf.response;
//
// Node's own modules and globals (`fetch`, timers) are left out, because viewer functions have none of them; add @types/node for a
// project of Lambda functions.

/** Headers by name in lower case; `key` has the case that is sent. */
interface CloudFrontHeaders {
  [name: string]: Array<{ key?: string | undefined; value: string }>;
}

type CloudFrontOrigin =
  | { s3: CloudFrontS3Origin; custom?: never | undefined }
  | { custom: CloudFrontCustomOrigin; s3?: never | undefined };

interface CloudFrontCustomOrigin {
  customHeaders: CloudFrontHeaders;
  domainName: string;
  /** Seconds, 1 to 120. */
  keepaliveTimeout: number;
  /** In front of the request's own; begins with `/`, or is empty. */
  path: string;
  port: number;
  protocol: 'http' | 'https';
  /** Seconds, 1 to 120. */
  readTimeout: number;
  sslProtocols: string[];
}

type CloudFrontS3Origin = CloudFrontS3OriginAuthMethodNone | CloudFrontS3OriginAuthMethodOriginAccessIdentity;

interface CloudFrontS3OriginBase {
  authMethod: 'origin-access-identity' | 'none';
  customHeaders: CloudFrontHeaders;
  domainName: string;
  path: string;
}

interface CloudFrontS3OriginAuthMethodNone extends CloudFrontS3OriginBase {
  authMethod: 'none';
  region?: never;
}

interface CloudFrontS3OriginAuthMethodOriginAccessIdentity extends CloudFrontS3OriginBase {
  authMethod: 'origin-access-identity';
  region: string;
}

/** What the origin, or the cache, answered. Its body is not shown; a result may replace it. */
interface CloudFrontResponse {
  status: string;
  statusDescription: string;
  headers: CloudFrontHeaders;
}

interface CloudFrontRequest {
  /** With `include_body` only. */
  body?:
    | {
        /** `replace`: `data` goes on instead of the viewer's. */
        action: 'read-only' | 'replace';
        data: string;
        encoding: 'base64' | 'text';
        /** Only the beginning is shown. */
        readonly inputTruncated: boolean;
      }
    | undefined;
  readonly clientIp: string;
  readonly method: string;
  /** The path, not percent-decoded. */
  uri: string;
  /** Without `?`. */
  querystring: string;
  headers: CloudFrontHeaders;
  /** At origin-request and origin-response. */
  origin?: CloudFrontOrigin | undefined;
}

interface CloudFrontEvent {
  config: {
    readonly distributionDomainName: string;
    readonly distributionId: string;
    readonly eventType: 'origin-request' | 'origin-response' | 'viewer-request' | 'viewer-response';
    readonly requestId: string;
  };
}

/** An answer in place of the origin's, or of what it answered. */
interface CloudFrontResultResponse {
  status: string;
  statusDescription?: string | undefined;
  headers?: CloudFrontHeaders | undefined;
  bodyEncoding?: 'text' | 'base64' | undefined;
  body?: string | undefined;
}

interface CloudFrontRequestEventRecord {
  cf: CloudFrontEvent & { request: CloudFrontRequest };
}

/** At viewer-request and origin-request. */
interface CloudFrontRequestEvent {
  Records: CloudFrontRequestEventRecord[];
}

/** The request goes on, or a response is the answer. */
type CloudFrontRequestResult = undefined | null | CloudFrontResultResponse | CloudFrontRequest;

interface CloudFrontResponseEventRecord {
  cf: CloudFrontEvent & {
    readonly request: Pick<CloudFrontRequest, Exclude<keyof CloudFrontRequest, 'body'>>;
    response: CloudFrontResponse;
  };
}

/** At origin-response and viewer-response. */
interface CloudFrontResponseEvent {
  Records: CloudFrontResponseEventRecord[];
}

type CloudFrontResponseResult = undefined | null | CloudFrontResultResponse;

/** The second argument of a handler. */
interface Context {
  callbackWaitsForEmptyEventLoop: boolean;
  functionName: string;
  functionVersion: string;
  invokedFunctionArn: string;
  memoryLimitInMB: string;
  awsRequestId: string;
  logGroupName: string;
  logStreamName: string;
  getRemainingTimeInMillis(): number;
}

type Callback<Result = unknown> = (error?: Error | string | null, result?: Result) => void;
type CloudFrontRequestCallback = Callback<CloudFrontRequestResult>;
type CloudFrontResponseCallback = Callback<CloudFrontResponseResult>;
type Handler<Event = unknown, Result = unknown> = (
  event: Event,
  context: Context,
  callback: Callback<Result>,
) => void | Promise<Result>;
type CloudFrontRequestHandler = Handler<CloudFrontRequestEvent, CloudFrontRequestResult>;
type CloudFrontResponseHandler = Handler<CloudFrontResponseEvent, CloudFrontResponseResult>;
