//! Node's modules, one table each: an expression in a handler, and its value as JSON.

use crate::harness::{Code, gist};

/// The files that the expressions may use.
fn package(expressions: &[&str]) -> Code {
    let parts: Vec<String> = expressions
        .iter()
        .map(|expression| {
            let tried = format!("try {{ out.push(JSON.stringify(await ({expression})) ?? 'undefined') }}");
            format!("{tried} catch (error) {{ out.push(`${{error.name}}: ${{error.message}}`) }}")
        })
        .collect();
    let source = format!(
        "const assert = require('assert'); const crypto = require('crypto'); const url = require('url'); const util = require('util');
         const path = require('path'); const fs = require('fs'); const stream = require('stream'); const zlib = require('zlib');
         const EventEmitter = require('events');
         exports.handler = async () => {{ const out = []; {}; return out }}",
        parts.join(";\n")
    );
    Code::js(&source).file("data/a.txt", "hällo").file("data/b.json", "{\"b\": 1}")
}

fn check(cases: &[(&str, &str)]) {
    let expressions: Vec<&str> = cases.iter().map(|(expression, _)| *expression).collect();
    let answer = package(&expressions).once().unwrap_or_else(|error| panic!("{error:?}"));
    let values: Vec<String> = serde_json::from_str(&answer).unwrap();
    for ((expression, expected), value) in cases.iter().zip(values) {
        assert_eq!(value, *expected, "{expression}");
    }
}

#[test]
fn crypto_digests_and_random_values() {
    check(&[
        ("crypto.createHash('md5').update('a').digest('hex')", r#""0cc175b9c0f1b6a831c399e269772661""#),
        (
            "crypto.createHash('sha1').update('a').update(Buffer.from('b')).digest('base64')",
            r#""2iNhTgJGmg18e9G9q1ycR0sZBNw=""#,
        ),
        (
            "crypto.createHash('SHA256').update('').digest('base64url')",
            r#""47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU""#,
        ),
        ("crypto.createHash('sha512').update('é', 'latin1').digest().length", "64"),
        (
            "crypto.createHmac('sha256', 'key').update('text').digest('hex')",
            r#""6afa9046a9579cad143a384c1b564b9a250d27d6f6a63f9f20bf3a7594c9e2c6""#,
        ),
        ("crypto.createHash('nothing')", "Error: Digest method not supported"),
        ("(() => { const h = crypto.createHash('md5'); h.digest(); h.digest() })()", "Error: Digest already called"),
        (
            "[crypto.randomBytes(8).length, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]/.test(crypto.randomUUID())]",
            "[8,true]",
        ),
        ("[1, 2, 3].every(() => [5, 6].includes(crypto.randomInt(5, 7)))", "true"),
        ("crypto.timingSafeEqual(Buffer.from('ab'), Buffer.from('ab'))", "true"),
        (
            "crypto.timingSafeEqual(Buffer.from('ab'), Buffer.from('a'))",
            "RangeError: Input buffers must have the same byte length",
        ),
        (
            "crypto.subtle.digest('SHA-1', new TextEncoder().encode('a')).then((d) => Buffer.from(d).toString('hex'))",
            r#""86f7e437faa5a7fce15d1ddcb9eaeaea377667b8""#,
        ),
        ("globalThis.crypto.getRandomValues(new Uint8Array(3)).length", "3"),
    ]);
}

#[test]
fn crypto_keys_and_signatures() {
    let pem = "-----BEGIN PRIVATE KEY-----\\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\\nOF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\\n1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\\n-----END PRIVATE KEY-----";
    let setup = format!(
        "(() => {{ globalThis.pem ??= '{pem}'; globalThis.publicPem ??= crypto.createPublicKey(pem).export({{type: 'spki', format: 'pem'}}) }})()"
    );
    check(&[
        (&setup, "undefined"),
        ("crypto.createVerify('sha256').update('text').verify(publicPem, crypto.createSign('SHA256').update('te').update('xt').sign(pem))", "true"),
        ("crypto.verify('sha256', Buffer.from('text'), publicPem, crypto.sign('sha256', Buffer.from('texT'), pem))", "false"),
        ("crypto.sign('sha256', Buffer.from('t'), {key: pem, dsaEncoding: 'ieee-p1363'}).length", "64"),
        ("crypto.createPublicKey(pem).export({format: 'jwk'})", r#"{"kty":"EC","crv":"P-256","x":"EVs_o5-uQbTjL3chynL4wXgUg2R9q9UU8I5mEovUf84","y":"kGe5DgSIycKp8w9aJmoHhB1sB3QTugfnRWm5nU_TzsY"}"#),
        ("publicPem.split('\\n').length", "5"),
        ("[crypto.createPrivateKey(pem).type, crypto.createPublicKey({key: crypto.createPublicKey(publicPem).export({format: 'jwk'}), format: 'jwk'}).asymmetricKeyType]", r#"["private","ec"]"#),
        ("crypto.createPublicKey('no key')", "Error: the key is damaged, or of a kind that the boa engine does not have (RSA, P-256, P-384, P-521, Ed25519)"),
        ("crypto.createPublicKey({key: {kty: 'RSA', n: 'AQAB'}, format: 'jwk'})", "Error: the JWK has no member \"e\""),
        ("(async () => { const {subtle} = crypto.webcrypto; const algorithm = {name: 'HMAC', hash: 'SHA-256'};
            const key = await subtle.importKey('raw', Buffer.from('k'), algorithm, false, ['sign', 'verify']);
            const signed = await subtle.sign('HMAC', key, Buffer.from('x'));
            return [await subtle.verify('HMAC', key, signed, Buffer.from('x')), await subtle.verify('HMAC', key, signed, Buffer.from('y'))] })()", "[true,false]"),
        ("(async () => { const {subtle} = crypto.webcrypto; const algorithm = {name: 'ECDSA', namedCurve: 'P-256'};
            const pub = await subtle.importKey('jwk', crypto.createPublicKey(pem).export({format: 'jwk'}), algorithm, true, ['verify']);
            const key = await subtle.importKey('pkcs8', crypto.createPrivateKey(pem).export({format: 'der', type: 'pkcs8'}), algorithm, false, ['sign']);
            const signed = await subtle.sign({name: 'ECDSA', hash: 'SHA-256'}, key, Buffer.from('x'));
            return subtle.verify({name: 'ECDSA', hash: 'SHA-256'}, pub, signed, Buffer.from('x')) })()", "true"),
        ("crypto.subtle.generateKey({name: 'AES-GCM'})", "NotSupportedError: crypto.subtle.generateKey is not available in the boa engine"),
    ]);
}

#[test]
fn urls() {
    check(&[
        (
            "(({href, host, port, search, hash}) => [href, host, port, search, hash])(new URL('HTTP://User:pw@Exämple.com:80/a/../b?x=1#f'))",
            r##"["http://User:pw@xn--exmple-cua.com/b?x=1#f","xn--exmple-cua.com","","?x=1","#f"]"##,
        ),
        ("new URL('../c?d', 'https://a.b/x/y/z').href", r#""https://a.b/x/c?d""#),
        ("new URL('nothing')", "TypeError: Invalid URL"),
        ("[URL.canParse('a:b'), URL.canParse('b'), URL.parse('b')]", "[true,false,null]"),
        (
            "(() => { const u = new URL('http://a/?x=1&y=2'); u.searchParams.set('x', 'ä b&'); u.searchParams.append('z', ''); u.pathname = '/p q'; return u.href })()",
            r#""http://a/p%20q?x=%C3%A4+b%26&y=2&z=""#,
        ),
        (
            "(() => { const u = new URL('http://a/?x=1'); const p = u.searchParams; u.search = '?b=2'; return [p.get('b'), p.has('x'), String(p)] })()",
            r#"["2",false,"b=2"]"#,
        ),
        ("[...new URLSearchParams('?a=1&b=%zz+c&a=%C3%A4&d')]", r#"[["a","1"],["b","%zz c"],["a","ä"],["d",""]]"#),
        (
            "[new URLSearchParams({a: 1, b: 'x y'}).toString(), new URLSearchParams([['c', 'd']]).getAll('c')]",
            r#"["a=1&b=x+y",["d"]]"#,
        ),
        (
            "(({protocol, auth, host, pathname, query, hash}) => [protocol, auth, host, pathname, query, hash])(url.parse('https://u:p@A.com:8/p/q?x=y#h'))",
            r##"["https:","u:p","a.com:8","/p/q","x=y","#h"]"##,
        ),
        ("url.parse('/path?a=1&a=2', true).query.a", r#"["1","2"]"#),
        ("url.parse('//host/x', false, true).host", r#""host""#),
        (
            "url.format({protocol: 'https', hostname: 'a.b', port: 8, pathname: 'x', query: {q: 'ä'}})",
            r#""https://a.b:8/x?q=%C3%A4""#,
        ),
        (
            "[url.resolve('/one/two/three', 'four'), url.resolve('http://a/b', '/c')]",
            r#"["/one/two/four","http://a/c"]"#,
        ),
        (
            "[url.fileURLToPath('file:///a%20b'), url.pathToFileURL('/x y').href, url.domainToASCII('español.com')]",
            r#"["/a b","file:///x%20y","xn--espaol-zwa.com"]"#,
        ),
        ("require('punycode').toUnicode('xn--maana-pta.com')", r#""mañana.com""#),
    ]);
}

#[test]
fn paths() {
    check(&[
        ("[path.join('/a', '..', 'b', './c/'), path.normalize('a//b/../c'), path.join('')]", r#"["/b/c/","a/c","."]"#),
        (
            "[path.resolve('/a/b', '../c'), path.resolve('/a', '/d'), path.relative('/a/b/c', '/a/d')]",
            r#"["/a/c","/d","../../d"]"#,
        ),
        (
            "[path.dirname('/a/b/'), path.dirname('a'), path.dirname('/a'), path.basename('/a/b.html', '.html'), path.basename('/')]",
            r#"["/a",".","/","b",""]"#,
        ),
        ("[path.extname('a.b.c'), path.extname('.a'), path.extname('a.'), path.extname('a')]", r#"[".c","",".",""]"#),
        ("path.parse('/home/u/f.txt')", r#"{"root":"/","dir":"/home/u","base":"f.txt","ext":".txt","name":"f"}"#),
        (
            "[path.format({dir: '/a', base: 'b.c'}), path.format({root: '/', name: 'x', ext: 'y'}), path.isAbsolute('a')]",
            r#"["/a/b.c","/x.y",false]"#,
        ),
        ("path.join(1)", "TypeError: The \"path\" argument must be of type string. Received number"),
    ]);
}

#[test]
fn files_of_the_package_and_of_tmp() {
    check(&[
        ("fs.readFileSync(__dirname + '/data/a.txt', 'utf8')", r#""hällo""#),
        ("[fs.readFileSync('data/a.txt').length, JSON.parse(fs.readFileSync('/var/task/data/b.json')).b]", "[6,1]"),
        ("fs.promises.readFile(path.join(__dirname, 'data/a.txt'), {encoding: 'utf8'})", r#""hällo""#),
        (
            "new Promise((done) => fs.readFile('/nothing', (error) => done([error.code, error.syscall, error.errno])))",
            r#"["ENOENT","open",-2]"#,
        ),
        ("fs.readFileSync('/etc/passwd')", "Error: ENOENT: no such file or directory, open '/etc/passwd'"),
        (
            "fs.readFileSync('../../../etc/passwd')",
            "Error: ENOENT: no such file or directory, open '../../../etc/passwd'",
        ),
        ("fs.writeFileSync('/var/task/x', '1')", "Error: EROFS: read-only file system, open '/var/task/x'"),
        (
            "(() => { fs.writeFileSync('/tmp/x', 'one'); fs.appendFileSync('/tmp/x', Buffer.from(' two')); return fs.readFileSync('/tmp/x', 'latin1') })()",
            r#""one two""#,
        ),
        (
            "(() => { fs.mkdirSync('/tmp/d/e', {recursive: true}); fs.writeFileSync('/tmp/d/e/f', ''); const names = fs.readdirSync('/tmp/d'); fs.rmSync('/tmp/d', {recursive: true}); return [names, fs.existsSync('/tmp/d')] })()",
            r#"[["e"],false]"#,
        ),
        (
            "[fs.statSync('data').isDirectory(), fs.statSync('data/a.txt').size, fs.existsSync('data/none'), fs.statSync('no', {throwIfNoEntry: false})]",
            "[true,6,false,null]",
        ),
        (
            "fs.writeFileSync('/tmp/../var/task/y', '1')",
            "Error: EROFS: read-only file system, open '/tmp/../var/task/y'",
        ),
        ("fs.readdirSync('data')", r#"["a.txt","b.json"]"#),
        (
            "stream.promises.pipeline(fs.createReadStream('data/a.txt'), zlib.createGzip(), fs.createWriteStream('/tmp/a.gz')).then(() => zlib.gunzipSync(fs.readFileSync('/tmp/a.gz')).toString())",
            r#""hällo""#,
        ),
    ]);
}

#[test]
fn packing() {
    check(&[
        (
            "['gzip', 'deflate', 'deflateRaw', 'brotliCompress'].map((name, at) => zlib[['gunzip', 'inflate', 'inflateRaw', 'brotliDecompress'][at] + 'Sync'](zlib[name + 'Sync']('text'.repeat(99))).length)",
            "[396,396,396,396]",
        ),
        ("util.promisify(zlib.gunzip)(zlib.gzipSync('x')).then(String)", r#""x""#),
        ("zlib.gunzipSync('nothing')", "Error: incorrect header check or data"),
        ("zlib.gunzipSync(zlib.gzipSync('text').subarray(0, 15))", "Error: unexpected end of file"),
        ("zlib.unzipSync(zlib.deflateSync('y')).toString()", r#""y""#),
        (
            "zlib.inflateSync(zlib.deflateSync('a'.repeat(5000)), {maxOutputLength: 4999})",
            "Error: Cannot create a Buffer larger than 4999 bytes",
        ),
        ("zlib.inflateSync(zlib.deflateSync('a'.repeat(5000)), {maxOutputLength: 5000}).length", "5000"),
    ]);
}

#[test]
fn events_and_streams() {
    check(&[
        ("(() => { const e = new EventEmitter(); const seen = []; e.once('a', (x) => seen.push('once' + x)); e.on('a', (x) => seen.push(x)); e.prependListener('a', () => seen.push('first')); e.emit('a', 1); e.emit('a', 2); return [seen, e.listenerCount('a'), e.emit('b')] })()", r#"[["first","once1",1,"first",2],2,false]"#),
        ("new EventEmitter().emit('error', new TypeError('x'))", "TypeError: x"),
        ("(() => { function Old() { EventEmitter.call(this) } util.inherits(Old, EventEmitter); const o = new Old(); let n = 0; o.on('x', () => n++); o.emit('x'); return [n, o instanceof EventEmitter] })()", "[1,true]"),
        ("EventEmitter.once(Object.assign(new EventEmitter(), {at: setTimeout(function () {}, 0)}), 'x') instanceof Promise", "true"),
        ("(async () => { const parts = []; for await (const part of stream.Readable.from(['a', 'b', 'c'])) parts.push(part); return parts })()", r#"["a","b","c"]"#),
        ("(async () => { const seen = []; const up = new stream.Transform({transform(chunk, _, done) { done(null, chunk.toString().toUpperCase()) }});
            await stream.promises.pipeline(stream.Readable.from(['x', 'y']), up, new stream.Writable({write(chunk, _, done) { seen.push(chunk.toString()); setTimeout(done, 1) }})); return seen })()", r#"["X","Y"]"#),
        ("new Promise((done) => stream.pipeline(new stream.Readable({read() { this.destroy(new Error('cut')) }}), new stream.PassThrough(), (error) => done(error.message)))", r#""cut""#),
        ("(async () => { const r = new stream.Readable({read() {}}); r.push(Buffer.from([0xc3])); r.push(Buffer.from([0xa4])); r.push(null); r.setEncoding('utf8'); let text = ''; for await (const part of r) text += part; return text })()", r#""ä""#),
        ("(async () => { const w = new stream.Writable({highWaterMark: 2, write(c, _, done) { setImmediate(done) }}); const full = w.write('abc'); await EventEmitter.once(w, 'drain'); w.end(); await EventEmitter.once(w, 'finish'); return [full, w.writableFinished] })()", "[false,true]"),
        ("new Promise((done) => { const w = new stream.Writable({write() {}}); w.end(); w.on('error', (error) => done(error.code)); w.write('x') })", r#""ERR_STREAM_WRITE_AFTER_END""#),
        ("(async () => { const d = new stream.Duplex({read() {}, write(c, _, done) { this.push(c); done() }, final(done) { this.push(null); done() }}); d.end('echo'); let t = ''; for await (const c of d) t += c; return t })()", r#""echo""#),
    ]);
}

#[test]
fn util_and_assert() {
    check(&[
        (
            "[util.format('%s=%d %j', 'a', 1, {b: 2}, 'c'), util.inspect({a: [1, {b: {c: {}}}]}), util.inspect('x')]",
            r#"["a=1 {\"b\":2} c","{ a: [ 1, { b: [Object] } ] }","'x'"]"#,
        ),
        ("util.inspect(new (class { [util.inspect.custom]() { return 'own' } })())", r#""own""#),
        ("util.promisify((value, done) => done(null, value + 1))(1)", "2"),
        ("util.promisify((done) => done(new RangeError('bad')))()", "RangeError: bad"),
        ("util.promisify(setTimeout)(1, 'late')", r#""late""#),
        (
            "[util.types.isDate(new Date()), util.isDeepStrictEqual({a: [1]}, {a: [1]}), util.isDeepStrictEqual({a: 1}, {a: '1'})]",
            "[true,true,false]",
        ),
        ("assert.strictEqual(1, 2)", "AssertionError: Expected values to be strictEqual: 1 and 2"),
        ("assert.deepEqual({a: [1, new Map([[1, {x: 1}]])]}, {a: ['1', new Map([[1, {x: 1}]])]})", "undefined"),
        ("assert.throws(() => { throw new TypeError('x') }, TypeError)", "undefined"),
        ("assert.throws(() => {})", "AssertionError: Missing expected exception."),
        ("assert.rejects(Promise.reject(new Error('no')), /no/)", "undefined"),
        ("assert(0, 'told')", "AssertionError: told"),
    ]);
}

#[test]
fn buffers_of_numbers() {
    check(&[
        ("Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]).readUInt32BE(1)", "33752069"),
        (
            "[Buffer.from([255, 255]).readInt16LE(), Buffer.from([1, 2, 3]).readUIntBE(0, 3), Buffer.from([0xff, 2, 3]).readIntLE(0, 3)]",
            "[-1,66051,197375]",
        ),
        (
            "(() => { const b = Buffer.alloc(8); b.writeUInt16BE(258, 0); b.writeInt32LE(-2, 2); b.writeUint8(7, 6); return b.toString('hex') })()",
            r#""0102feffffff0700""#,
        ),
        (
            "Buffer.alloc(2).readUInt32BE()",
            "RangeError: The value of \"offset\" is out of range. It must be >= 0 and <= -2. Received 0",
        ),
        (
            "Buffer.alloc(1).writeUInt8(256)",
            "RangeError: The value of \"value\" is out of range. It must be >= 0 and <= 255. Received 256",
        ),
        (
            "[Buffer.from('abcabc').indexOf('ca'), Buffer.from('abcabc').lastIndexOf('a'), Buffer.from('abc').includes(98), Buffer.from('abc').indexOf('x')]",
            "[2,3,true,-1]",
        ),
        (
            "(() => { const b = Buffer.alloc(4, 'ab'); const n = b.write('€€'); return [b.subarray(0, n).toString(), n] })()",
            r#"["€",3]"#,
        ),
        (
            "(() => { const b = Buffer.from('abcdef'); const c = Buffer.alloc(3); return [b.copy(c, 1, 2), c.toString('latin1')] })()",
            r#"[2,"\u0000cd"]"#,
        ),
        ("Buffer.from('0102', 'hex').swap16().toString('hex')", r#""0201""#),
        ("(() => { const b = Buffer.from('abc'); b.slice(1)[0] = 120; return b.toString() })()", r#""axc""#),
        (
            "[Buffer.from(new Uint16Array([1, 256]).buffer).length, Buffer.from(new Uint16Array([1, 257])).length, Buffer.alloc(3).fill('ab').toString()]",
            r#"[4,2,"aba"]"#,
        ),
    ]);
}

#[test]
fn web_globals() {
    check(&[
        (
            "[new TextDecoder().decode(new TextEncoder().encode('häl€o')), new TextDecoder('latin1').encoding]",
            r#"["häl€o","windows-1252"]"#,
        ),
        (
            "new TextDecoder('utf-8', {fatal: true}).decode(new Uint8Array([0xff]))",
            "TypeError: The encoded data was not valid for encoding utf-8",
        ),
        (
            "(() => { const d = new TextDecoder(); return d.decode(new Uint8Array([0xe2, 0x82]), {stream: true}) + d.decode(new Uint8Array([0xac])) })()",
            r#""€""#,
        ),
        ("structuredClone({a: [1, new Date(0)]})", r#"{"a":[1,"1970-01-01T00:00:00.000Z"]}"#),
        (
            "(() => { const c = new AbortController(); let seen; c.signal.addEventListener('abort', () => { seen = c.signal.reason.name }); c.abort(); return [seen, c.signal.aborted] })()",
            r#"["AbortError",true]"#,
        ),
        (
            "(() => { const h = new Headers({B: '1', a: ' 2 '}); h.append('b', '3'); return [...h] })()",
            r#"[["a","2"],["b","1, 3"]]"#,
        ),
        ("new Headers([['a b', '1']])", "TypeError: Headers: \"a b\" is an invalid header name."),
        ("new Response('hällo', {status: 201}).text()", r#""hällo""#),
        ("Response.json({a: 1}).json()", r#"{"a":1}"#),
        ("new Request('http://a/b', {method: 'post', body: new URLSearchParams({x: '1'})}).text()", r#""x=1""#),
        ("new Request('http://a/b', {body: 'x'})", "TypeError: Request with GET/HEAD method cannot have body."),
        (
            "[typeof performance.now(), Object.keys(globalThis).includes('fetch'), process.version.startsWith('v')]",
            r#"["number",false,true]"#,
        ),
    ]);
}

#[test]
fn modules_of_node_that_cannot_be_here() {
    for name in ["net", "node:tls", "child_process", "vm", "dns/promises", "worker_threads"] {
        let error = Code::js(&format!("require('{name}')")).refused();
        let (kind, message) = gist(&error);
        assert_eq!(kind, "Runtime.ImportModuleError");
        assert!(message.contains("engine = \"node\""), "{message}");
    }
}

#[test]
fn packages_in_node_modules() {
    let code = Code::new(
        "index.mjs",
        "import old, { two } from 'old'; import modern from 'modern/feature'; import { createRequire } from './require.cjs';
         export const handler = async () => [old.one, two, modern, createRequire()]",
    )
    .file("require.cjs", "exports.createRequire = () => require('modern/feature')")
    .file("node_modules/old/package.json", r#"{"main": "lib"}"#)
    .file("node_modules/old/lib/index.js", "exports.one = 1; exports.two = require('./two.json').two + require('inner')")
    .file("node_modules/old/lib/two.json", "{\"two\": 2}")
    .file("node_modules/old/node_modules/inner/index.js", "module.exports = 40")
    .file(
        "node_modules/modern/package.json",
        r#"{"type": "module", "exports": {"./feature": {"import": "./feature.js", "require": "./feature.cjs"}}}"#,
    )
    .file("node_modules/modern/feature.js", "export default 'import'")
    .file("node_modules/modern/feature.cjs", "module.exports = 'require'");
    assert_eq!(code.once().as_deref(), Ok(r#"[1,42,"import","require"]"#));
    let code = Code::js("const value = 1;\nexport const handler = async () => value")
        .file("package.json", r#"{"type": "module"}"#);
    assert_eq!(code.once().as_deref(), Ok("1"));
    let error = Code::js("require('missing-package')").refused();
    assert!(gist(&error).1.contains("'missing-package' in node_modules of the function's folder"), "{error:?}");
}

/// A server that answers each request in turn: what it was sent, and what to answer.
fn serve(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<String>>) {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let mut seen = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
            }
            let length = head
                .to_lowercase()
                .split_once("content-length: ")
                .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            seen.push(head + std::str::from_utf8(&body).unwrap());
            reader.into_inner().write_all(answer.as_bytes()).unwrap();
        }
        seen
    });
    (address, serving)
}

fn ask(address: &str, expression: &str) -> String {
    let source = format!("const http = require('http'); exports.handler = async (event) => {expression}");
    let mut environment = Code::js(&source).network("all").ready();
    environment.invoke(&format!("{{\"address\": \"{address}\"}}")).unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn requests_with_http() {
    let (address, serving) = serve(&[
        "HTTP/1.1 201 Created\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nX-A: 1\r\nX-A: 2\r\ncontent-length: 6\r\nconnection: close\r\n\r\nh\u{e4}llo",
    ]);
    let expression = "new Promise((done) => {
        const request = http.request(event.address + '/path?q=1', {method: 'POST', headers: {'X-Own': 'v'}}, (response) => {
            let text = '';
            response.setEncoding('utf8');
            response.on('data', (part) => { text += part }).on('end', () => done([response.statusCode, response.headers['set-cookie'], response.headers['x-a'], text]));
        });
        request.write('one '); request.end('two');
    })";
    assert_eq!(ask(&address, expression), r#"[201,["a=1","b=2"],"1, 2","hällo"]"#);
    let seen = serving.join().unwrap().remove(0);
    assert!(seen.starts_with("POST /path?q=1 HTTP/1.1\r\n") && seen.ends_with("\r\n\r\none two"), "{seen}");
    assert!(seen.to_lowercase().contains("x-own: v\r\n") && !seen.to_lowercase().contains("user-agent"), "{seen}");
}

#[test]
fn requests_with_fetch() {
    let (address, serving) = serve(&[
        "HTTP/1.1 302 Found\r\nlocation: /next\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n8\r\n{\"a\": 1}\r\n0\r\n\r\n",
    ]);
    let expression = "fetch(event.address + '/first', {method: 'POST', body: JSON.stringify({x: 1}), headers: {'content-type': 'application/json'}})
        .then(async (response) => [response.ok, response.redirected, response.url.endsWith('/next'), await response.json()])";
    assert_eq!(ask(&address, expression), r#"[true,true,true,{"a":1}]"#);
    let seen = serving.join().unwrap();
    assert!(seen[0].starts_with("POST /first") && seen[0].ends_with("{\"x\":1}"), "{seen:?}");
    assert!(seen[1].starts_with("GET /next") && !seen[1].contains("content-type"), "{seen:?}");
}

#[test]
fn requests_that_fail() {
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let expression = "new Promise((done) => http.get(event.address).on('error', (error) => done(error.code)))";
    assert_eq!(ask(&format!("http://{refused}"), expression), "\"ECONNREFUSED\"");
    let expression = "fetch(event.address).catch((error) => [error.message, error.cause.code])";
    assert_eq!(ask(&format!("http://{refused}"), expression), r#"["fetch failed","ECONNREFUSED"]"#);
    let (address, serving) = serve(&["HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\nshort"]);
    let expression = "fetch(event.address).then((response) => response.text()).catch((error) => error.message)";
    assert_eq!(ask(&address, expression), "\"aborted\"");
    serving.join().unwrap();
}

#[test]
fn the_network_setting_is_obeyed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let source = "exports.handler = async (event) => Promise.all(event.map((url) => fetch(url).catch((error) => error.cause.code)))";
    let names = ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0"];
    let urls: Vec<String> = names.iter().map(|name| format!("\"http://{name}:{port}/\"")).collect();
    for network in ["public", "none"] {
        let mut environment = Code::js(source).network(network).ready();
        let answer = environment.invoke(&format!("[{}]", urls.join(","))).unwrap();
        assert_eq!(answer, format!("[{}]", ["\"EACCES\""; 6].join(",")), "{network}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// Packages that functions use (lambda-edge.md 11), as they are published. Needs npm and the network:
/// `cargo test -p edgehook-lambda-js --test environment packages_from_the_registry -- --ignored`.
#[test]
#[ignore = "installs packages with npm"]
fn packages_from_the_registry() {
    let source = r#"
        const cookie = require('cookie'); const jwt = require('jsonwebtoken'); const jwkToPem = require('jwk-to-pem');
        const { JwtVerifier } = require('aws-jwt-verify'); const crypto = require('crypto');
        exports.handler = async () => {
            const out = [cookie.parse('a=1; b=%20x').b];
            const { createSecretKey } = crypto;
            out.push(jwt.verify(jwt.sign({ sub: 'me' }, 'secret', { expiresIn: 60 }), 'secret').sub);
            try { jwt.verify(jwt.sign({}, 'other'), 'secret') } catch (error) { out.push(error.message) }
            const pem = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2
OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r
1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G
-----END PRIVATE KEY-----`;
            const signed = jwt.sign({ iss: 'https://issuer' }, pem, { algorithm: 'ES256', keyid: 'k', expiresIn: 60 });
            const jwk = { ...crypto.createPublicKey(pem).export({ format: 'jwk' }), kid: 'k', alg: 'ES256', use: 'sig' };
            out.push(jwt.verify(signed, jwkToPem(jwk), { algorithms: ['ES256'] }).iss);
            const verifier = JwtVerifier.create({ issuer: 'https://issuer', audience: null });
            verifier.cacheJwks({ keys: [jwk] });
            out.push((await verifier.verify(signed)).iss);
            const jose = await import('jose');
            const key = await jose.importJWK(jwk, 'ES256');
            out.push((await jose.jwtVerify(signed, key)).payload.iss);
            const token = await new jose.SignJWT({ a: 1 }).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from('secret'));
            out.push((await jose.jwtVerify(token, Buffer.from('secret'))).payload.a);
            return out;
        };"#;
    let code = Code::js(source).file("package.json", r#"{"private": true}"#);
    let names = ["cookie@1", "jsonwebtoken@9", "jwk-to-pem@2", "jose@5", "aws-jwt-verify@5"];
    let installed = std::process::Command::new("npm").arg("install").args(names).current_dir(code.path()).status();
    assert!(installed.unwrap().success());
    let expected = r#"[" x","me","invalid signature","https://issuer","https://issuer","https://issuer",1]"#;
    assert_eq!(code.once().as_deref(), Ok(expected));
}
