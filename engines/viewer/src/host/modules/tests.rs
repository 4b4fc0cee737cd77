//! What scripts see of the host objects, row by row: an expression, and what `String()` makes of its value.

use super::{
    Settings,
    kvs::{self, Store},
};
use boa_engine::{Context, JsString, Source, js_string};
use edgehook_contract::{
    HookPoint,
    viewer::{EdgeLocation, GroupMember, OriginDirective, Runtime},
};

fn context(runtime: Runtime) -> Context {
    let mut context = Context::default();
    context.strict(true);
    let edge =
        EdgeLocation { name: "FRA".to_owned(), server_ip: "192.0.2.1".to_owned(), region: "eu-central-1".to_owned() };
    let settings =
        Settings { runtime, edge: Some(edge), store: Some("0b9a4d3e-52c1-4f7e-9a53-0c5f0f1c7a10".to_owned()) };
    super::install(&settings, &mut context).unwrap();
    let cf = super::export("cloudfront", &context).ok();
    if let Some(cf) = cf {
        context.register_global_property(js_string!("cf"), cf, boa_engine::property::Attribute::all()).unwrap();
    }
    for name in ["crypto", "querystring"] {
        let module = super::export(name, &context).unwrap();
        let attribute = boa_engine::property::Attribute::all();
        context.register_global_property(JsString::from(name), module, attribute).unwrap();
    }
    context
}

fn evaluated(script: &str, context: &mut Context) -> String {
    // A function body, so that rows can have statements.
    let script = format!(
        "(() => {{ {} }})()",
        if script.contains("return") { script.to_owned() } else { format!("return {script}") }
    );
    let value = context.eval(Source::from_bytes(&script)).unwrap_or_else(|error| {
        let thrown = error.into_opaque(context).unwrap();
        JsString::from(thrown.to_string(context).unwrap().to_std_string_lossy()).into()
    });
    value.to_string(context).unwrap().to_std_string_lossy()
}

#[track_caller]
fn check(runtime: Runtime, rows: &[(&str, &str)]) {
    let mut context = context(runtime);
    for (script, expected) in rows {
        assert_eq!(evaluated(script, &mut context), *expected, "{script}");
    }
}

#[test]
fn hashes() {
    // Of FIPS 180-4, RFC 1321, RFC 2202 and RFC 4231.
    check(
        Runtime::Js2,
        &[
            ("crypto.createHash('md5').update('abc').digest('hex')", "900150983cd24fb0d6963f7d28e17f72"),
            ("crypto.createHash('sha1').update('abc').digest('hex')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "crypto.createHash('sha256').update('a').update(Buffer.from('bc')).digest('hex')",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                "crypto.createHmac('sha256', 'Jefe').update('what do ya want for nothing?').digest('hex')",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                "crypto.createHmac('sha256', Buffer.alloc(131, 0xaa)).update('Test Using Larger Than Block-Size Key - Hash Key First').digest('hex')",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                "crypto.createHmac('md5', 'Jefe').update('what do ya want for nothing?').digest('hex')",
                "750c783e6ab0b503eaa86e310a5db738",
            ),
            (
                "crypto.createHmac('sha1', 'Jefe').update('what do ya want for nothing?').digest('hex')",
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
            ("crypto.createHash('md5').update('').digest('base64')", "1B2M2Y8AsgTpgAmY7PhCfg=="),
            ("crypto.createHash('md5').update('').digest('base64url')", "1B2M2Y8AsgTpgAmY7PhCfg"),
            (
                "crypto.createHash('md5').update('é').digest('hex') === crypto.createHash('md5').update(Buffer.from([0xc3, 0xa9])).digest('hex')",
                "true",
            ),
            ("Buffer.isBuffer(crypto.createHash('md5').digest())", "true"),
            ("Buffer.isBuffer(crypto.createHash('md5').digest('buffer'))", "true"),
            ("crypto.createHash('sha512')", "TypeError: not supported algorithm: \"sha512\""),
            ("crypto.createHmac('sha512', 'k')", "TypeError: not supported algorithm: \"sha512\""),
            ("crypto.createHash('md5').digest('latin1')", "TypeError: Unknown digest encoding: \"latin1\""),
            ("const h = crypto.createHash('md5'); h.digest(); return h.digest()", "Error: Digest already called"),
            ("const h = crypto.createHash('md5'); h.digest(); return h.update('x')", "Error: Digest already called"),
            ("crypto.createHash('md5').update(7)", "TypeError: data must be a string, a Buffer or a typed array"),
            ("crypto.createHmac('md5')", "TypeError: the key must be a string, a Buffer or a typed array"),
            ("crypto.createHash('md5').update.call({}, 'x')", "TypeError: this is neither a Hash nor an Hmac"),
            ("typeof crypto.randomBytes + typeof crypto.timingSafeEqual", "undefinedundefined"),
        ],
    );
}

#[test]
fn hashes_of_byte_strings() {
    check(
        Runtime::Js1,
        &[
            ("typeof crypto.createHash('md5').update('abc').digest()", "string"),
            ("crypto.createHash('md5').update('abc').digest().length", "16"),
            ("crypto.createHash('md5').update('abc').digest().toString('hex')", "900150983cd24fb0d6963f7d28e17f72"),
            // A digest is bytes, also as a key: the example of Amazon's guide to signing keys (Signature Version 4).
            (
                "const mac = (key, text) => crypto.createHmac('sha256', key).update(text).digest(); \
                 return mac(mac(mac(mac('AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', '20150830'), 'us-east-1'), 'iam'), 'aws4_request').toString('hex')",
                "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9",
            ),
            (
                "const hash = (data) => crypto.createHash('sha1').update(data).digest('hex'); \
                 return [hash(String.bytesFrom([195, 169])) === hash('é'), hash('é'.toUTF8()) === hash('é')].join()",
                "true,true",
            ),
        ],
    );
    // The same characters as text are hashed as UTF-8, and what is remembered of byte strings is bounded.
    check(
        Runtime::Js1,
        &[
            (
                "crypto.createHash('sha1').update('Ã©').digest('hex') === crypto.createHash('sha1').update('é').digest('hex')",
                "false",
            ),
            (
                "const first = String.bytesFrom([255]); const hash = () => crypto.createHash('md5').update(first).digest('hex'); const before = hash(); \
                 for (let i = 0; i < 64; i++) { String.bytesFrom([254, i]); } return before !== hash()",
                "true",
            ),
        ],
    );
}

#[test]
fn query_strings() {
    check(
        Runtime::Js2,
        &[
            (
                "JSON.stringify(querystring.parse('a=1&b&a=2&&c=%C3%A9+x&a=3'))",
                r#"{"a":["1","2","3"],"b":"","c":"é x"}"#,
            ),
            ("JSON.stringify(querystring.parse('a:1;b:2', ';', ':'))", r#"{"a":"1","b":"2"}"#),
            ("JSON.stringify(querystring.parse('a=1&b=2&c=3', null, null, { maxKeys: 2 }))", r#"{"a":"1","b":"2"}"#),
            (
                "Object.keys(querystring.parse(Array.from({ length: 1200 }, (_, i) => 'k' + i).join('&'))).length",
                "1000",
            ),
            (
                "Object.keys(querystring.parse(Array.from({ length: 1200 }, (_, i) => 'k' + i).join('&'), '&', '=', { maxKeys: 0 })).length",
                "1200",
            ),
            (
                "JSON.stringify(querystring.parse('a=%zz', '&', '=', { decodeURIComponent: (s) => s + '!' }))",
                r#"{"a!":"%zz!"}"#,
            ),
            ("JSON.stringify(querystring.parse('__proto__=1'))", r#"{"__proto__":"1"}"#),
            ("JSON.stringify(querystring.decode('a=b=c'))", r#"{"a":"b=c"}"#),
            ("JSON.stringify(querystring.parse(undefined))", "{}"),
            (
                "querystring.stringify({ a: [1, 'x y'], b: true, c: {}, d: null, e: 1.5, 'f&': undefined })",
                "a=1&a=x%20y&b=true&c=&d=&e=1.5&f%26=",
            ),
            ("querystring.encode({ a: 1, b: 2 }, ';', ':')", "a:1;b:2"),
            ("querystring.stringify({ a: 'x' }, '&', '=', { encodeURIComponent: (s) => '<' + s + '>' })", "<a>=<x>"),
            ("querystring.stringify('text')", ""),
            ("querystring.escape(\"AZaz09!'()*-._~ &/é\")", "AZaz09!'()*-._~%20%26%2F%C3%A9"),
            ("querystring.unescape('a+b%FF')", "a b\u{fffd}"),
            ("querystring.unescape('%4')", "%4"),
            (
                "querystring.parse('a', '&', '=', { decodeURIComponent: 7 })",
                "TypeError: option decodeURIComponent must be a function",
            ),
        ],
    );
}

#[test]
fn buffers_are_made() {
    check(
        Runtime::Js2,
        &[
            ("Buffer.from('aGk', 'base64url')", "hi"),
            ("Buffer.from('aGk=', 'base64')", "hi"),
            ("Buffer.from('6869', 'hex')", "hi"),
            ("Buffer.from('686', 'hex')", "h"),
            ("Buffer.from('68zz69', 'hex')", "h"),
            ("Buffer.from('aG%k', 'base64').length", "1"),
            ("Buffer.from('é').length", "2"),
            ("JSON.stringify(Buffer.from([1, 256, -1, '7', 1.9]))", r#"{"type":"Buffer","data":[1,0,255,7,1]}"#),
            (
                "JSON.stringify(Buffer.from(JSON.parse(JSON.stringify(Buffer.from('a')))))",
                r#"{"type":"Buffer","data":[97]}"#,
            ),
            ("JSON.stringify(Buffer.from({ length: 2, 0: 5, 1: 6 }))", r#"{"type":"Buffer","data":[5,6]}"#),
            ("Buffer.from(new String('hi'))", "hi"),
            (
                "const a = new Uint8Array([1, 2, 3]).buffer; const b = Buffer.from(a, 1, 1); b[0] = 9; return new Uint8Array(a).join()",
                "1,9,3",
            ),
            ("const a = Buffer.from('abc'); const b = Buffer.from(a); b[0] = 120; return a + ' ' + b", "abc xbc"),
            ("Buffer.from(new ArrayBuffer(2), 3)", "RangeError: the offset is outside the buffer"),
            (
                "Buffer.from(5)",
                "TypeError: the first argument must be a string, an array, an ArrayBuffer, a Buffer or an object",
            ),
            ("Buffer.from('a', 'latin1')", "TypeError: \"latin1\" encoding is not supported"),
            ("['ascii', 'binary', 'utf16le', 'latin1'].some(Buffer.isEncoding)", "false"),
            ("['utf8', 'UTF-8', 'hex', 'base64', 'base64url'].every(Buffer.isEncoding)", "true"),
            ("new Buffer(3)", "TypeError: not a constructor"),
            ("Buffer.alloc(5, 'ab')", "ababa"),
            ("Buffer.alloc(3, 'YQ==', 'base64')", "aaa"),
            ("Buffer.alloc(2).join()", "0,0"),
            ("Buffer.allocUnsafe(2).length", "2"),
            ("Buffer.alloc(-1)", "RangeError: invalid size"),
            ("Buffer.alloc('1')", "TypeError: size must be a number"),
            (
                "Buffer.byteLength('é') + Buffer.byteLength('aGk=', 'base64') + Buffer.byteLength(new ArrayBuffer(3))",
                "7",
            ),
            (
                "Buffer.compare(Buffer.from('a'), Buffer.from('b')) + Buffer.compare(Buffer.from('b'), Buffer.from('a'))",
                "0",
            ),
            ("Buffer.concat([Buffer.from('a'), new Uint8Array([98])])", "ab"),
            ("Buffer.concat([Buffer.from('abc')], 2)", "ab"),
            ("Buffer.concat([Buffer.from('a')], 3).length", "3"),
            ("Buffer.concat('x')", "TypeError: list must be an array of Buffers"),
            (
                "[Buffer.isBuffer(Buffer.alloc(1)), Buffer.isBuffer(new Uint8Array(1)), Buffer.isBuffer({})].join()",
                "true,false,false",
            ),
            ("Buffer.from('a') instanceof Buffer && Buffer.from('a') instanceof Uint8Array", "true"),
            ("require('buffer').Buffer === Buffer", "true"),
            ("JSON.parse(Buffer.from('{\"a\":1}')).a", "1"),
        ],
    );
}

#[test]
fn buffers_are_used() {
    check(
        Runtime::Js2,
        &[
            ("Buffer.from('hello').toString('base64url', 1, 3)", "ZWw"),
            ("Buffer.from([0xff, 0x61]).toString()", "\u{fffd}a"),
            ("Buffer.from([0xff]).toString('hex')", "ff"),
            ("Buffer.from('hello').subarray(-3, -1)", "ll"),
            ("const a = Buffer.from('abc'); a.subarray(1)[0] = 120; return a", "axc"),
            ("Buffer.isBuffer(Buffer.from('abc').slice(1))", "true"),
            ("Buffer.from('abcabc').indexOf('ca')", "2"),
            ("Buffer.from('abcabc').indexOf('b', 2)", "4"),
            ("Buffer.from('abcabc').indexOf('b', -2)", "4"),
            ("Buffer.from('abcabc').lastIndexOf('b')", "4"),
            ("Buffer.from('abcabc').lastIndexOf('b', 3)", "1"),
            ("Buffer.from('abcabc').indexOf(99)", "2"),
            ("Buffer.from('abcabc').includes(Buffer.from('bd'))", "false"),
            ("Buffer.from('abcabc').indexOf('YmM=', 'base64')", "1"),
            ("Buffer.from('abc').equals(new Uint8Array([97, 98, 99]))", "true"),
            ("Buffer.from('abc').compare(Buffer.from('xbc'), 1, 3, 1, 3)", "0"),
            ("const b = Buffer.alloc(4); Buffer.from('abcdef').copy(b, 1, 2); return b.toString('hex')", "00636465"),
            ("Buffer.alloc(4).fill('ab', 1)", "\0aba"),
            ("Buffer.alloc(3).fill(97, 1, 2).toString('hex')", "006100"),
            ("Buffer.alloc(3).fill('YQ==', 'base64')", "aaa"),
            ("Buffer.from([1, 2, 3, 4]).swap16().join()", "2,1,4,3"),
            ("Buffer.from([1, 2, 3, 4]).swap32().join()", "4,3,2,1"),
            ("Buffer.from([1, 2, 3]).swap16()", "RangeError: the length must be a multiple of the size to swap"),
            ("const b = Buffer.alloc(4); return b.write('hé', 2) + b.toString('hex')", "100006800"),
            ("const b = Buffer.alloc(4); return b.write('6869', 1, 'hex') + b.toString('hex')", "200686900"),
            ("Buffer.from([1, 2]).toJSON().data.join()", "1,2"),
            ("[...Buffer.from('ab')].join()", "97,98"),
            ("Buffer.prototype.toString.call({})", "TypeError: this is not a Buffer"),
        ],
    );
}

#[test]
fn numbers_in_buffers() {
    check(
        Runtime::Js2,
        &[
            ("Buffer.from('fffe', 'hex').readInt16BE()", "-2"),
            ("Buffer.from('fffe', 'hex').readUInt16LE()", "65279"),
            ("Buffer.from('80000000', 'hex').readInt32BE(0)", "-2147483648"),
            ("Buffer.from('ffffffffffff', 'hex').readUIntBE(0, 6)", "281474976710655"),
            ("Buffer.from('ffffffffffff', 'hex').readIntLE(0, 6)", "-1"),
            ("Buffer.from('3fc00000', 'hex').readFloatBE()", "1.5"),
            ("Buffer.from('3ff8000000000000', 'hex').readDoubleBE()", "1.5"),
            ("Buffer.from('ff', 'hex').readInt8()", "-1"),
            ("Buffer.from('ff', 'hex').readUInt16BE()", "RangeError: index is outside the bounds of the buffer"),
            ("Buffer.from('ff', 'hex').readUInt8(1)", "RangeError: index is outside the bounds of the buffer"),
            ("Buffer.from('ff', 'hex').readUInt8(-1)", "RangeError: index is outside the bounds of the buffer"),
            ("Buffer.from('ff', 'hex').readUInt8('0')", "TypeError: the offset must be a number"),
            ("Buffer.alloc(9).readUIntLE(0, 7)", "RangeError: byteLength must be 1 to 6"),
            ("const b = Buffer.alloc(8); b.writeDoubleLE(1.5); return b.toString('hex')", "000000000000f83f"),
            ("const b = Buffer.alloc(4); return b.writeInt16BE(-2, 1) + b.toString('hex')", "300fffe00"),
            (
                "const b = Buffer.alloc(6); b.writeUIntBE(0x010203040506, 0, 6); return b.toString('hex')",
                "010203040506",
            ),
            ("const b = Buffer.alloc(4); b.writeFloatBE(1.5); return b.toString('hex')", "3fc00000"),
            ("Buffer.alloc(2).writeUInt8(256)", "RangeError: the value does not fit"),
            ("Buffer.alloc(2).writeInt8(-129)", "RangeError: the value does not fit"),
            ("Buffer.alloc(1).writeUInt16LE(1)", "RangeError: index is outside the bounds of the buffer"),
        ],
    );
}

#[test]
fn text_globals() {
    check(
        Runtime::Js2,
        &[
            ("new TextEncoder().encode('é').join()", "195,169"),
            ("new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0xc3, 0xa9]))", "é"),
            (
                "new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff]))",
                "TypeError: the data is not valid UTF-8",
            ),
            ("new TextDecoder().decode(new Uint8Array([0xff]))", "\u{fffd}"),
            (
                "const d = new TextDecoder(); return d.decode(new Uint8Array([0xc3]), { stream: true }) + d.decode(new Uint8Array([0xa9]))",
                "é",
            ),
            ("new TextDecoder('latin1')", "RangeError: only utf-8 is supported"),
            ("const d = new TextDecoder(); return [d.encoding, d.fatal, d.ignoreBOM].join()", "utf-8,false,false"),
            ("JSON.stringify(new TextEncoder().encodeInto('aé', new Uint8Array(2)))", r#"{"read":1,"written":1}"#),
            ("TextEncoder()", "TypeError: cannot call constructor of native class `TextEncoder` without new"),
            ("atob('aGk=') + atob(' aG k ') + btoa('hi')", "hihiaGk="),
            ("atob('a')", "TypeError: the string to be decoded is not base64"),
            ("btoa('家')", "TypeError: the string to be encoded holds characters beyond Latin-1"),
        ],
    );
}

#[test]
fn byte_strings_belong_to_the_first_runtime() {
    check(
        Runtime::Js1,
        &[
            ("String.bytesFrom('aGk','base64url')", "hi"),
            ("String.bytesFrom('aGk=', 'base64')", "hi"),
            ("String.bytesFrom('6869', 'hex')", "hi"),
            ("String.bytesFrom([104, 361])", "hi"),
            ("String.bytesFrom('x', 'latin1')", "TypeError: Unknown encoding: \"latin1\""),
            ("String.bytesFrom('x')", "TypeError: the encoding must be a string"),
            ("String.bytesFrom(5)", "TypeError: value must be a string or an array"),
            ("'é'.toUTF8().length + 'é'.toUTF8().fromUTF8()", "2é"),
            ("'\\xff'.fromUTF8()", "null"),
            ("'家'.toBytes()", "null"),
            ("'abc'.toBytes(1)", "bc"),
            ("'abcd'.fromBytes(1, 3)", "bc"),
            ("'hi'.toString('hex') + 'hi'.toString('base64') + '\\xff\\xfe'.toString('base64url')", "6869aGk=__4"),
            ("'hi'.toString() + new String('hi').toString()", "hihi"),
            ("JSON.parse(String.bytesFrom('eyJhIjoxfQ', 'base64url')).a", "1"),
            ("String.prototype.toString.call(5)", "TypeError: this is not a string"),
            ("[typeof Buffer, typeof TextEncoder, typeof atob].join()", "undefined,undefined,undefined"),
            ("require('cloudfront')", "Error: there is no module \"cloudfront\" here; there are crypto, querystring"),
        ],
    );
    check(
        Runtime::Js2,
        &[
            ("String.bytesFrom", "undefined"),
            ("String.bytesFrom('aGk','base64url')", "TypeError: not a callable function"),
            ("typeof ''.toUTF8 + 'hi'.toString('hex')", "undefinedhi"),
            (
                "require('fs')",
                "Error: there is no module \"fs\" here; there are buffer, cloudfront, crypto, querystring",
            ),
            ("require()", "TypeError: require takes the name of a module"),
            ("require('crypto') === require('crypto')", "true"),
        ],
    );
}

#[test]
fn origin_calls_are_remembered_in_viewer_request_alone() {
    let mut context = context(Runtime::Js2);
    let refused = "TypeError: the origin can be changed only in the handler of a viewer-request function";
    assert_eq!(evaluated("cf.updateRequestOrigin({})", &mut context), refused, "while loading");
    super::begin(HookPoint::ViewerResponse, &mut context);
    assert_eq!(evaluated("cf.updateRequestOrigin({})", &mut context), refused);
    assert_eq!(evaluated("JSON.stringify(cf.edgeLocation)", &mut context), "{}");
    assert_eq!(super::directive(&mut context), None);

    super::begin(HookPoint::ViewerRequest, &mut context);
    assert_eq!(
        evaluated("JSON.stringify(cf.edgeLocation)", &mut context),
        r#"{"name":"FRA","serverIp":"192.0.2.1","region":"eu-central-1"}"#
    );
    assert_eq!(evaluated("cf.selectRequestOriginById('a')", &mut context), "undefined");
    let whole = "cf.updateRequestOrigin({ domainName: 'b.example', originPath: '/p', customHeaders: { 'x-a': '1' },
        connectionAttempts: 2, hostHeader: 'h.example', sni: 's.example', allowedCertificateNames: ['*.example'],
        timeouts: { readTimeout: 5, responseCompletionTimeout: 6, keepAliveTimeout: 7, connectionTimeout: 8 },
        customOriginConfig: { port: 8443, protocol: 'https', sslProtocols: ['TLSv1.2'], ipAddressType: 'ipv4' },
        originShield: { enabled: true, region: 'us-east-1' }, mTLSConfig: 'off',
        originAccessControlConfig: { enabled: true, region: 'x', signingBehavior: 'always', signingProtocol: 'sigv4', originType: 's3' } })";
    assert_eq!(evaluated(whole, &mut context), "undefined");
    let Some(OriginDirective::Update(properties)) = super::directive(&mut context) else {
        panic!("the last call wins")
    };
    assert_eq!(properties.domain_name.as_deref(), Some("b.example"));
    assert_eq!(properties.custom_headers, Some(vec![("x-a".to_owned(), "1".to_owned())]));
    assert_eq!(properties.timeouts.connection, Some(8.0));
    assert_eq!(properties.custom.and_then(|custom| custom.port), Some(8443.0));
    assert!(properties.shield.is_some_and(|shield| shield.enabled));
    assert!(properties.access_control.is_some_and(|access| access.origin_type.as_deref() == Some("s3")));

    super::begin(HookPoint::ViewerRequest, &mut context);
    let group =
        "cf.createRequestOriginGroup({ originIds: ['a', { originId: 'b', originOverrides: { hostHeader: 'h' } }],
        failoverCriteria: { statusCodes: [500, 502] }, selectionCriteria: 'default' })";
    assert_eq!(evaluated(group, &mut context), "undefined");
    let Some(OriginDirective::Group { members, status_codes, .. }) = super::directive(&mut context) else { panic!() };
    assert_eq!(
        (members[0].clone(), status_codes),
        (GroupMember { id: "a".to_owned(), ..Default::default() }, vec![500.0, 502.0])
    );
    assert_eq!(members[1].overrides.host_header.as_deref(), Some("h"));
}

#[test]
fn origin_calls_check_types() {
    let mut context = context(Runtime::Js2);
    super::begin(HookPoint::ViewerRequest, &mut context);
    for (script, expected) in [
        ("cf.updateRequestOrigin('x')", "TypeError: updateRequestOrigin takes an object"),
        ("cf.updateRequestOrigin({ domainName: 5 })", "TypeError: origin.domainName must be a string"),
        ("cf.updateRequestOrigin({ domainName: null })", "TypeError: origin.domainName must be a string"),
        (
            "cf.updateRequestOrigin({ timeouts: { readTimeout: '5' } })",
            "TypeError: timeouts.readTimeout must be a number",
        ),
        (
            "cf.updateRequestOrigin({ customHeaders: { a: 1 } })",
            "TypeError: origin.customHeaders[\"a\"] must be a string",
        ),
        (
            "cf.updateRequestOrigin({ originShield: { enabled: 'yes' } })",
            "TypeError: originShield.enabled must be true or false",
        ),
        (
            "cf.updateRequestOrigin({ allowedCertificateNames: 'x' })",
            "TypeError: origin.allowedCertificateNames must be an array",
        ),
        ("cf.selectRequestOriginById()", "TypeError: selectRequestOriginById takes the id of an origin"),
        ("cf.selectRequestOriginById('a', 'b')", "TypeError: the overrides must be an object"),
        ("cf.createRequestOriginGroup({})", "TypeError: group.originIds must be an array"),
        (
            "cf.createRequestOriginGroup({ originIds: [5] })",
            "TypeError: group.originIds must hold ids or objects with originId",
        ),
        (
            "cf.createRequestOriginGroup({ originIds: ['a', 'b'] })",
            "TypeError: group.failoverCriteria must hold the array statusCodes",
        ),
        (
            "cf.createRequestOriginGroup({ originIds: ['a', 'b'], failoverCriteria: ['500'] })",
            "TypeError: failoverCriteria.statusCodes must hold only numbers",
        ),
        ("cf.createRequestOriginGroup({ originIds: ['a', 'b'], failoverCriteria: [500] })", "undefined"),
        ("cf.distributionTenant.id", "TypeError: distributionTenant is not available: this is a standard distribution"),
    ] {
        assert_eq!(evaluated(script, &mut context), expected, "{script}");
    }
}

struct Fixed;

impl Store for Fixed {
    fn get(&self, key: &str) -> Option<&str> {
        [("k", "{\"a\":1}"), ("é", "家")].into_iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }
    fn count(&self) -> usize {
        2
    }
    fn created(&self) -> u64 {
        0
    }
    fn updated(&self) -> u64 {
        1_735_689_599_999
    }
}

/// The settled value or error of an async expression that may read the store.
fn awaited(script: &str, store: Option<&dyn Store>, context: &mut Context) -> String {
    let script = format!(
        "var out; (async () => {{ const h = cf.kvs(); return {script} }})().then((v) => {{ out = String(v) }}, (e) => {{ out = String(e) }})"
    );
    context.eval(Source::from_bytes(&script)).unwrap();
    loop {
        context.run_jobs().unwrap();
        if !kvs::answer(store, context).unwrap() {
            break;
        }
    }
    let out = context.global_object().get(js_string!("out"), context).unwrap();
    out.to_string(context).unwrap().to_std_string_lossy()
}

#[test]
fn stores_are_read() {
    let mut context = context(Runtime::Js2);
    super::begin(HookPoint::ViewerRequest, &mut context);
    for (script, expected) in [
        ("await h.get('k')", "{\"a\":1}"),
        ("await h.get('é')", "家"),
        ("(await h.get('k', { format: 'json' })).a", "1"),
        ("Buffer.isBuffer(await h.get('k', { format: 'bytes' }))", "true"),
        ("await h.get('k', { format: 'xml' })", "TypeError: the format must be \"string\", \"json\" or \"bytes\""),
        ("await h.get(5)", "TypeError: the key must be a string"),
        ("await h.get('no')", "KeyNotFound: the store has no key \"no\""),
        ("await h.get('\\ud800')", "KeyNotFound: the store has no key \"\u{fffd}\""),
        ("await h.exists('k') + ' ' + await h.exists('no')", "true false"),
        ("await h.count()", "2"),
        (
            "JSON.stringify(await h.meta())",
            r#"{"creationDateTime":"1970-01-01T00:00:00.000Z","lastUpdatedDateTime":"2024-12-31T23:59:59.999Z","keyCount":2}"#,
        ),
        ("(await Promise.all([h.get('k'), h.count()])).length", "2"),
        ("(await h.get('é', { format: 'json' }))", "SyntaxError: expected value at line 1 column 1"),
    ] {
        let got = awaited(script, Some(&Fixed), &mut context);
        if expected.starts_with("SyntaxError") {
            assert!(got.starts_with("SyntaxError"), "{script}: {got}");
        } else {
            assert_eq!(got, expected, "{script}");
        }
    }
    assert_eq!(kvs::reads(&context), edgehook_protocol::viewer::KvsReads { requests: 15, errors: 5 });
    assert!(
        awaited("await h.get('k')", None, &mut context).starts_with("Error: key value stores cannot be read while")
    );
}

#[test]
fn handles_are_given_for_the_own_store_alone() {
    check(
        Runtime::Js2,
        &[
            ("typeof cf.kvs()", "object"),
            ("typeof cf.kvs('0B9A4D3E-52c1-4f7e-9a53-0c5f0f1c7a10')", "object"),
            ("cf.kvs('other')", "KVSNamespaceNotFound: the key value store other is not associated with this function"),
            ("cf.kvs().get.call({}, 'k')", "TypeError: this is not a key value store"),
        ],
    );
    let mut context = Context::default();
    super::install(&Settings::default(), &mut context).unwrap();
    let got = evaluated("require('cloudfront').kvs()", &mut context);
    assert_eq!(got, "KVSNamespaceNotFound: no key value store is associated with this function");
}

#[test]
fn tokens_under_a_mac() {
    // RFC 8392, appendix A.4.
    let rfc = "const token = Buffer.from('d83dd18443a10104a1044c53796d6d65747269633235365850a70175636f61703a2f2f61732e6578616d706c652e636f6d02656572696b77037818636f61703a2f2f6c696768742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f007420b7148093101ef6d789200', 'hex');
        const key = Buffer.from('403697de87af64611c1d32a05dab0fe1fcb715a86ab435f1ec99192d79569388', 'hex');";
    let generated = "const t = cf.cwt.generateToken({ cwtTag: true, coseTag: 'MAC0', key: 'secret' }, { 4: 1700000000, sub: 'x', list: [1, -2, 1.5, true, null] });";
    check(
        Runtime::Js2,
        &[
            (
                &format!(
                    "{rfc} const r = cf.cwt.validateToken(token, {{ key }}); return [r.payload['1'], r.payload[2], r.payload[4], r.protectedHeaders[1]].join()"
                ),
                "coap://as.example.com,erikw,1444064944,4",
            ),
            (
                &format!("{rfc} token[40] ^= 1; return cf.cwt.validateToken(token, {{ key }})"),
                "Error: invalid token: its tag is wrong",
            ),
            (
                &format!("{rfc} return cf.cwt.validateToken(token.subarray(0, 50), {{ key }})"),
                "Error: invalid token: it is not CBOR",
            ),
            (
                &format!(
                    "{generated} return JSON.stringify(cf.cwt.validateToken(t, {{ key: Buffer.from('secret') }}))"
                ),
                r#"{"protectedHeaders":{"1":5},"unprotectedHeaders":{},"payload":{"4":1700000000,"sub":"x","list":[1,-2,1.5,true,null]}}"#,
            ),
            (
                &format!("{generated} return cf.cwt.validateToken(t, {{ key: 'other' }})"),
                "Error: invalid token: its tag is wrong",
            ),
            (
                "const t = cf.cwt.generateToken({ protected: { 1: '4' }, unprotected: { 4: 'kid' }, payload: { 1: 'i' } }, { coseTag: 'MAC0', key: 'k' }); const r = cf.cwt.validateToken(t, { key: 'k' }); return JSON.stringify(r)",
                r#"{"protectedHeaders":{"1":4},"unprotectedHeaders":{"4":"kid"},"payload":{"1":"i"}}"#,
            ),
            ("cf.cwt.generateToken({ coseTag: 'SIGN1', key: 'k' }, {})", "TypeError: coseTag must be \"MAC0\""),
            (
                "cf.cwt.generateToken({ coseTag: 'MAC0', key: 'k' }, { a: 'x'.repeat(1100) })",
                "TypeError: the token is longer than 1,024 bytes",
            ),
            (
                "cf.cwt.generateToken({ protectedHeaders: { 1: 6 }, payload: {} }, { coseTag: 'MAC0', key: 'k' })",
                "TypeError: the algorithm must be 4 or 5",
            ),
            (
                "const o = {}; o.o = o; return cf.cwt.generateToken({ coseTag: 'MAC0', key: 'k' }, o)",
                "TypeError: the payload is nested too deeply",
            ),
            ("cf.cwt.validateToken('text', { key: 'k' })", "TypeError: the token must be a Buffer"),
        ],
    );
}
