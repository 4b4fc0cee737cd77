// CloudFront Functions, runtime cloudfront-js-2.0: the event, the result, and what is there besides the language.
// Names are those of @types/aws-cloudfront-function. What only edgehook has is marked @edgehook.
//
//   /** @param {AWSCloudFrontFunction.Event} event */
//   function handler(event) { return event.request; }

declare namespace AWSCloudFrontFunction {
  /** What a handler is called with. `response` is there at viewer-response only. */
  interface Event {
    version: '1.0';
    readonly context: Context;
    readonly viewer: Viewer;
    request: Request & RequestMethods;
    response: Response;
  }

  interface Context {
    distributionDomainName: string;
    distributionId: string;
    eventType: 'viewer-request' | 'viewer-response';
    /** Also in the log, and in the answer's `x-amz-cf-id`. */
    requestId: string;
  }

  interface Viewer {
    /** The viewer's address, IPv4 or IPv6. */
    ip: string;
  }

  interface Request {
    /** A result must have the same. */
    readonly method: string;
    /** The path, not percent-decoded; begins with `/`. */
    uri: string;
    querystring: ValueObject;
    /** Names in lower case; cookies are in `cookies`. */
    headers: RequestHeaders;
    cookies: ValueObject;
  }

  interface RequestMethods {
    /** The query as it was sent, without `?`. `''`: a bare `?`. `undefined`: none. */
    rawQueryString(): string | undefined;
  }

  interface Response {
    /** 100 to 599 where a function answers at viewer-request; at viewer-response it must stay as it is. */
    statusCode: number;
    statusDescription?: string;
    headers?: ResponseHeaders;
    cookies?: ResponseCookie;
    /** At most 40 KB. */
    body?: string | ResponseBody;
  }

  interface ResponseBody {
    data: string;
    encoding: 'text' | 'base64';
  }

  /** Parameters, headers or cookies by name. */
  interface ValueObject {
    [name: string]: Value;
  }

  interface Value {
    value: string;
    /** All values, where there are several. */
    multiValue?: Array<{ value: string }>;
  }

  /** A request's headers. Those that are named here may be read; a result that changes or lacks one of them is invalid. */
  type RequestHeaders = ValueObject & {
    readonly host?: Value;
    readonly via?: Value;
    readonly 'cdn-loop'?: Value;
    readonly 'content-length'?: Value;
    readonly 'transfer-encoding'?: Value;
  };

  /** A response's headers. Those that are named here may be read at viewer-response, and not changed. */
  type ResponseHeaders = ValueObject & {
    readonly via?: Value;
    readonly warning?: Value;
  };

  interface ResponseCookie {
    [name: string]: {
      value: string;
      /** Such as `Path=/; Max-Age=3600; Secure; HttpOnly`. */
      attributes: string;
      multiValue?: Array<{ value: string; attributes: string }>;
    };
  }
}

/** Lines for the function's log. */
declare const console: {
  log(...values: unknown[]): void;
  error(...values: unknown[]): void;
  /** @edgehook */
  info(...values: unknown[]): void;
  /** @edgehook */
  warn(...values: unknown[]): void;
  /** @edgehook */
  debug(...values: unknown[]): void;
};

declare function atob(base64: string): string;
declare function btoa(bytes: string): string;

declare class TextEncoder {
  readonly encoding: 'utf-8';
  encode(text?: string): Uint8Array;
}

declare class TextDecoder {
  constructor(encoding?: string);
  readonly encoding: string;
  decode(bytes?: Uint8Array | ArrayBuffer): string;
}

type BufferEncoding = 'utf8' | 'hex' | 'base64' | 'base64url';

interface Buffer extends Uint8Array {
  toString(encoding?: BufferEncoding, start?: number, end?: number): string;
  equals(other: Uint8Array): boolean;
  compare(other: Uint8Array): number;
  write(text: string, offset?: number, length?: number, encoding?: BufferEncoding): number;
}

declare const Buffer: {
  from(text: string, encoding?: BufferEncoding): Buffer;
  from(bytes: ArrayBuffer | ArrayLike<number>): Buffer;
  alloc(size: number, fill?: number | string, encoding?: BufferEncoding): Buffer;
  byteLength(text: string, encoding?: BufferEncoding): number;
  compare(one: Uint8Array, other: Uint8Array): number;
  concat(list: readonly Uint8Array[], length?: number): Buffer;
  isBuffer(value: unknown): value is Buffer;
};

/** `import cf from 'cloudfront'`; only default imports exist. */
declare module 'cloudfront' {
  /** The store of the function's `kvs`; throws where it has none, or another one. */
  function kvs(kvsId?: string): KVStore;

  interface KVStore {
    /** Rejects where there is no such key. */
    get(key: string): Promise<string>;
    get(key: string, options: { format: 'string' }): Promise<string>;
    get(key: string, options: { format: 'bytes' }): Promise<Uint8Array>;
    get(key: string, options: { format: 'json' }): Promise<unknown>;
    exists(key: string): Promise<boolean>;
    meta(): Promise<{ creationDateTime: string; lastUpdatedDateTime: string; keyCount: number }>;
    /** @edgehook The number of keys. */
    count(): Promise<number>;
  }

  interface OriginAccessControlConfig {
    enabled: boolean;
    signingBehavior: 'always' | 'never' | 'no-override';
    signingProtocol: 'sigv4';
    originType: 's3' | 'mediapackagev2' | 'mediastore' | 'lambda';
    region?: string;
  }

  interface OriginShield {
    enabled: boolean;
    region: string;
  }

  /** Seconds. */
  interface Timeouts {
    /** 1 to 120. */
    readTimeout?: number;
    /** At least `readTimeout`. */
    responseCompletionTimeout?: number;
    /** 1 to 120. */
    keepAliveTimeout?: number;
    /** 1 to 10. */
    connectionTimeout?: number;
  }

  interface CustomOriginConfig {
    port: number;
    protocol: 'http' | 'https';
    sslProtocols: Array<'SSLv3' | 'TLSv1' | 'TLSv1.1' | 'TLSv1.2'>;
    ipAddressType?: 'ipv4' | 'ipv6' | 'dualstack';
  }

  interface OriginOverrides {
    /** `Host` for the origin. */
    hostHeader?: string;
    /** Name asked for in the TLS handshake. */
    sni?: string;
    /** Names of which the origin's certificate must have one. */
    allowedCertificateNames?: string[];
  }

  interface UpdateRequestOriginParams extends OriginOverrides {
    domainName?: string;
    originPath?: string;
    customHeaders?: Record<string, string>;
    connectionAttempts?: number;
    originShield?: OriginShield;
    originAccessControlConfig?: OriginAccessControlConfig;
    timeouts?: Timeouts;
    customOriginConfig?: CustomOriginConfig;
    mTLSConfig?: 'off';
  }

  /** Another origin for this request; what is left out comes from the behavior's. viewer-request only. */
  function updateRequestOrigin(params: UpdateRequestOriginParams): void;

  /** An origin of the configuration, by name. viewer-request only. */
  function selectRequestOriginById(originId: string, overrides?: OriginOverrides): void;

  interface CreateRequestOriginGroupParams {
    /** The first is asked first. */
    originIds: [OriginId, OriginId];
    selectionCriteria?: 'default' | 'media-quality-score';
    failoverCriteria: { statusCodes: number[] };
  }

  type OriginId = string | { originId: string; originOverrides?: OriginOverrides };

  /** Two origins for this request, the second where the first fails. viewer-request only. */
  function createRequestOriginGroup(params: CreateRequestOriginGroupParams): void;

  /** Where this edge is; empty at viewer-response, and where `[server] edge_location` is not written. */
  interface EdgeLocation {
    /** Three letters, an airport's. */
    name: string;
    serverIp: string;
    /** Expected regional cache, such as `us-west-2`. */
    region: string;
  }

  const cf: {
    kvs: typeof kvs;
    updateRequestOrigin: typeof updateRequestOrigin;
    selectRequestOriginById: typeof selectRequestOriginById;
    createRequestOriginGroup: typeof createRequestOriginGroup;
    edgeLocation: EdgeLocation;
  };

  export default cf;
}

/** `import crypto from 'crypto'` */
declare module 'crypto' {
  type Digest = 'hex' | 'base64' | 'base64url';

  interface Hash {
    update(data: string | Uint8Array): this;
    digest(encoding: Digest): string;
    digest(): Uint8Array;
  }

  const crypto: {
    createHash(algorithm: 'md5' | 'sha1' | 'sha256'): Hash;
    createHmac(algorithm: 'md5' | 'sha1' | 'sha256', key: string | Uint8Array): Hash;
  };

  export default crypto;
}

/** `import querystring from 'querystring'` */
declare module 'querystring' {
  interface Query {
    [name: string]: string | string[];
  }

  const querystring: {
    parse(text: string, separator?: string, equals?: string, options?: { maxKeys?: number }): Query;
    stringify(query: { [name: string]: unknown }, separator?: string, equals?: string): string;
    escape(text: string): string;
    unescape(text: string): string;
    decode(text: string, separator?: string, equals?: string): Query;
    encode(query: { [name: string]: unknown }, separator?: string, equals?: string): string;
  };

  export default querystring;
}

/** `import buffer from 'buffer'` */
declare module 'buffer' {
  const buffer: { Buffer: typeof Buffer };
  export default buffer;
}
