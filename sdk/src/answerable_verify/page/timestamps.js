/** RFC 3161 time-stamps, and the signatures they take. Twin of the second half of section 5 of verify.py. */

import { Malformed, Unsupported, concat, equal, expect, fromHex, spend } from "./basics.js";
import { ed25519Verifies, mod, power } from "./ed25519.js";
import { sha1, sha256, sha384, sha512 } from "./hashes.js";
import {
  BITS, BOOLEAN, Certificate, Fields, INTEGER, KEY_IDENTIFIER, OCTETS, OID, SEQUENCE, SET,
  algorithmOf, bigEndian, derInteger, derOid, derTime, extensionList, hashOf, one, readDer,
} from "./der.js";
import { LIMITS } from "./words.js";

const [RSA, PSS, EC_KEY, ED] = ["1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.10045.2.1", "1.3.101.112"];
const RSA_WITH = { "1.2.840.113549.1.1.11": "sha256", "1.2.840.113549.1.1.12": "sha384", "1.2.840.113549.1.1.13": "sha512" };
const ECDSA_WITH = { "1.2.840.10045.4.3.2": "sha256", "1.2.840.10045.4.3.3": "sha384", "1.2.840.10045.4.3.4": "sha512" };
const DIGEST_INFO = {
  sha256: fromHex("3031300d060960864801650304020105000420"),
  sha384: fromHex("3041300d060960864801650304020205000430"),
  sha512: fromHex("3051300d060960864801650304020305000440"),
};
const DIGESTS = { sha1, sha256, sha384, sha512: (bytes) => sha512(bytes) };
const [SIGNED_DATA, TST_INFO] = ["1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"];
const [CONTENT_TYPE, MESSAGE_DIGEST] = ["1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"];
const [SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2] = ["1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"];

const curve = (p, b, x, y, order) => ({ p: BigInt(p), b: BigInt(b), x: BigInt(x), y: BigInt(y), order: BigInt(order) });
const CURVES = {
  "1.2.840.10045.3.1.7": curve(
    "0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
    "0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
    "0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
    "0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    "0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
  ),
  "1.3.132.0.34": curve(
    "0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
    "0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
    "0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
    "0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
    "0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
  ),
  "1.3.132.0.35": curve(
    2n ** 521n - 1n,
    "0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
    "0x00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66",
    "0x011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650",
    "0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
  ),
};
const bitLength = (value) => (value > 0n ? value.toString(2).length : 0);

/** Whether a signature verifies under a SubjectPublicKeyInfo. Errors: Unsupported, Malformed. */
export async function signatureVerifies(key, algorithm, digest, message, signature) {
  const fields = new Fields(key);
  const [keyType, keyParameters] = algorithmOf(fields.take(SEQUENCE));
  const bits = fields.take(BITS);
  fields.end();
  const [name, parameters] = algorithmOf(algorithm);
  if (bits.body[0] !== 0) throw new Malformed("not a public key");
  const material = bits.body.subarray(1);
  if (keyType === ED && name === ED && parameters === null) return ed25519Verifies(material.slice(), message, signature);
  if (keyType === EC_KEY && Object.hasOwn(ECDSA_WITH, name) && keyParameters !== null) {
    return ecdsaVerifies(derOid(keyParameters), material, DIGESTS[ECDSA_WITH[name]](message), signature);
  }
  if ([RSA, PSS].includes(keyType) && name === PSS && parameters !== null) return pssVerifies(rsaKey(material), parameters, message, signature);
  const hash = RSA_WITH[name] ?? (name === RSA ? digest : "");
  if (keyType === RSA && Object.hasOwn(DIGEST_INFO, hash)) return pkcs1Verifies(rsaKey(material), hash, message, signature);
  throw new Unsupported("not an algorithm that is supported");
}

function rsaKey(material) {
  const fields = new Fields(one(material));
  const [modulus, exponent] = [derInteger(fields.take(INTEGER)), derInteger(fields.take(INTEGER))];
  fields.end();
  const bits = bitLength(modulus);
  if (bits < 2048 || bits > 8192 || !(modulus & 1n) || exponent < 3n || exponent >= 2n ** 33n || !(exponent & 1n)) {
    throw new Unsupported("not an RSA key that is supported");
  }
  return { modulus, exponent, bits };
}

function rsaOpened({ modulus, exponent, bits }, signature, length) {
  spend();
  const value = bigEndian(signature);
  if (signature.length !== Math.ceil(bits / 8) || value >= modulus) return null;
  const opened = power(value, exponent, modulus);
  return bitLength(opened) <= 8 * length ? fromHex(opened.toString(16).padStart(2 * length, "0")) : null;
}

function pkcs1Verifies(key, digest, message, signature) {
  const length = Math.ceil(key.bits / 8);
  const info = concat(DIGEST_INFO[digest], DIGESTS[digest](message));
  const padding = new Uint8Array(length - info.length - 3).fill(255);
  const expected = concat(Uint8Array.of(0, 1), padding, Uint8Array.of(0), info);
  const opened = rsaOpened(key, signature, length);
  return opened !== null && equal(opened, expected);
}

function pssVerifies(key, parameters, message, signature) {
  const fields = new Fields(parameters);
  const digest = hashOf(one(fields.take(0xa0).body));
  const [name, maskHash] = algorithmOf(one(fields.take(0xa1).body));
  const [salted, trailer] = [fields.maybe(0xa2), fields.maybe(0xa3)];
  fields.end();
  const saltLength = salted ? derInteger(one(salted.body)) : 20n;
  if (name !== "1.2.840.113549.1.1.8" || maskHash === null || hashOf(maskHash) !== digest) throw new Unsupported("not PSS parameters that are supported");
  if (trailer && derInteger(one(trailer.body)) !== 1n) throw new Unsupported("not PSS parameters that are supported");
  const hash = DIGESTS[digest];
  const hashed = hash(message);
  const size = hashed.length;
  const bits = key.bits - 1;
  const length = Math.ceil(bits / 8);
  const encoded = rsaOpened(key, signature, length);
  if (encoded === null || saltLength < 0n || saltLength > BigInt(length - size - 2) || encoded[length - 1] !== 0xbc) return false;
  const masked = encoded.subarray(0, length - size - 1);
  const claimed = encoded.subarray(length - size - 1, length - 1);
  const unused = 0xff >> (8 * length - bits);
  if (masked[0] & ~unused & 0xff) return false;
  const plain = new Uint8Array(masked.length);
  for (let block = 0; block * size < masked.length; block++) {
    const mask = hash(concat(claimed, Uint8Array.of(0, 0, block >> 8, block & 255)));
    for (let at = block * size; at < Math.min(masked.length, (block + 1) * size); at++) plain[at] = masked[at] ^ mask[at - block * size];
  }
  plain[0] &= unused;
  const padding = plain.length - Number(saltLength) - 1;
  if (plain.subarray(0, padding).some(Boolean) || plain[padding] !== 1) return false;
  return equal(hash(concat(new Uint8Array(8), hashed, plain.subarray(padding + 1))), claimed);
}

function ecdsaVerifies(name, material, digest, signature) {
  const found = Object.hasOwn(CURVES, name) ? CURVES[name] : null;
  if (!found || material[0] === 2 || material[0] === 3) throw new Unsupported("not a curve that is supported");
  const { p, b, order } = found;
  const size = Math.ceil(bitLength(p) / 8);
  const [x, y] = [bigEndian(material.subarray(1, 1 + size)), bigEndian(material.subarray(1 + size))];
  const isOn = mod(y * y - x * x * x + 3n * x - b, p) === 0n;
  if (material.length !== 1 + 2 * size || material[0] !== 4 || x >= p || y >= p || !isOn) throw new Malformed("not a point of the curve");
  const fields = new Fields(one(signature));
  const [r, s] = [derInteger(fields.take(INTEGER)), derInteger(fields.take(INTEGER))];
  fields.end();
  if (r <= 0n || r >= order || s <= 0n || s >= order) return false;
  const e = bigEndian(digest) >> BigInt(Math.max(0, 8 * digest.length - bitLength(order)));
  const w = inverse(s, order);
  const point = ecCombine(found, mod(e * w, order), mod(r * w, order), [x, y]);
  return point !== null && mod(point[0], order) === r;
}

function inverse(value, by) {
  let [a, b, x, y] = [mod(value, by), by, 1n, 0n];
  while (a) {
    const times = b / a;
    [a, b, x, y] = [b - times * a, a, y - times * x, x];
  }
  return mod(y, by);
}

function ecCombine(on, a, b, other) {
  spend(10); // as long as ten of the others
  const points = [[on.x, on.y], other, ecAdd(on, [on.x, on.y], other)];
  let found = null;
  for (let bit = BigInt(bitLength(on.order)); bit >= 0n; bit--) {
    found = ecAdd(on, found, found);
    const which = Number((a >> bit) & 1n) + 2 * Number((b >> bit) & 1n);
    if (which) found = ecAdd(on, found, points[which - 1]);
  }
  return found;
}

function ecAdd({ p }, one_, other) {
  if (one_ === null || other === null) return one_ ?? other;
  let slope;
  if (one_[0] === other[0]) {
    if (mod(one_[1] + other[1], p) === 0n) return null;
    slope = (3n * one_[0] * one_[0] - 3n) * inverse(2n * one_[1], p);
  } else {
    slope = (other[1] - one_[1]) * inverse(other[0] - one_[0], p);
  }
  const x = mod(slope * slope - one_[0] - other[0], p);
  return [x, mod(slope * (one_[0] - x) - one_[1], p)];
}

/** Check that a TimeStampResp is of this text and signed by the certificate it names. Errors: Unsupported, Malformed. */
export async function checkTimestamp(token, text) {
  const response = new Fields(one(token));
  const status = new Fields(response.take(SEQUENCE));
  if (![0n, 1n].includes(derInteger(status.take(INTEGER)))) throw new Malformed("the authority refused");
  const content = new Fields(response.take(SEQUENCE));
  response.end();
  if (derOid(content.take(OID)) !== SIGNED_DATA) throw new Malformed("not signed data");
  const signed = new Fields(one(content.take(0xa0).body));
  content.end();
  if (![3n, 4n, 5n].includes(derInteger(signed.take(INTEGER)))) throw new Unsupported("not a version that is supported");
  signed.take(SET);
  const inner = new Fields(signed.take(SEQUENCE));
  if (derOid(inner.take(OID)) !== TST_INFO) throw new Malformed("not a time-stamp");
  const octets = one(inner.take(0xa0).body);
  inner.end();
  const stated = octets.tag === OCTETS ? octets.body : new Uint8Array();
  const brought = signed.maybe(0xa0);
  signed.maybe(0xa1);
  const signers = readDer(signed.take(SET).body);
  signed.end();
  const elements = (brought ? readDer(brought.body) : []).filter((each) => each.tag === SEQUENCE);
  if (signers.length !== 1 || elements.length > LIMITS.certificates) throw new Malformed("not one signer, or too many certificates");
  const certificates = elements.map((each) => new Certificate(each));
  const at = statedTime(stated, text);
  const signer = await checkSigner(new Fields(signers[0]), stated, certificates);
  if (!signer.stampsTime || !signer.isInForce(at)) throw new Malformed("the certificate is not for time-stamps, or was not in force");
  if (!signer.isKnown) throw new Unsupported("a critical extension of the certificate that is not supported");
  return { at, signer, certificates };
}

/** RFC 3161 section 2.4.2: what the token says of the text, and when. */
function statedTime(stated, text) {
  const info = new Fields(one(stated));
  if (derInteger(info.take(INTEGER)) !== 1n) throw new Unsupported("not a version that is supported");
  info.take(OID);
  const imprint = new Fields(info.take(SEQUENCE));
  const [digest, hashed] = [hashOf(imprint.take(SEQUENCE)), imprint.take(OCTETS).body];
  imprint.end();
  derInteger(info.take(INTEGER));
  const at = derTime(info.take(0x18), true);
  for (const tag of [SEQUENCE, BOOLEAN, INTEGER, 0xa0]) info.maybe(tag);
  const extended = info.maybe(0xa1); // eIDAS authorities say here that they are qualified
  const extensions = extensionList(extended ? readDer(extended.body) : []);
  info.end();
  if (digest !== "sha256" || !equal(hashed, sha256(text))) throw new Malformed("the time-stamp is of something else");
  if ([...extensions.values()].some(({ critical }) => critical)) throw new Unsupported("a critical extension that is not supported");
  return at;
}

/** RFC 5652 sections 5.4 to 5.6: the one signer, its certificate, its signed attributes, its signature. */
async function checkSigner(fields, stated, certificates) {
  const version = derInteger(fields.take(INTEGER));
  const identified = fields.left.shift() ?? null;
  const found = certificates.filter((each) => identified !== null && isNamed(each, identified, version));
  const [digest, attributes] = [hashOf(fields.take(SEQUENCE)), fields.take(0xa0)];
  const [algorithm, signature] = [fields.take(SEQUENCE), fields.take(OCTETS).body];
  fields.maybe(0xa1);
  fields.end();
  if (!found.length) throw new Malformed("the signer's certificate is not there");
  const signer = found[0];
  const byName = attributesOf(attributes);
  const [kind, hashed] = [byName.get(CONTENT_TYPE), byName.get(MESSAGE_DIGEST)];
  if (derOid(kind) !== TST_INFO || hashed.tag !== OCTETS || !equal(hashed.body, DIGESTS[digest](stated))) {
    throw new Malformed("the signed attributes are of something else");
  }
  const named = [SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2].filter((name) => byName.has(name));
  if (!named.length || !named.every((name) => namesSigner(byName.get(name), signer, name === SIGNING_CERTIFICATE_V2))) {
    throw new Malformed("the signed attributes name another certificate");
  }
  // the attributes are signed as the SET that they are, not under the tag that they have here
  const message = concat(Uint8Array.of(SET), attributes.whole.subarray(1));
  if (!(await signatureVerifies(signer.key, algorithm, digest, message, signature))) throw new Malformed("the signature does not verify");
  return signer;
}

function isNamed(certificate, identified, version) {
  if (version === 1n && identified.tag === SEQUENCE) return equal(identified.body, concat(certificate.issuer, integerDer(certificate.serial)));
  const identifier = certificate.extensions.get(KEY_IDENTIFIER)?.value ?? new Uint8Array();
  return version === 3n && identified.tag === 0x80 && identifier.length > 2 && equal(identifier.subarray(2), identified.body);
}

const integerDer = (body) => (body.length < 0x80 ? concat(Uint8Array.of(INTEGER, body.length), body) : new Uint8Array());

function attributesOf(element) {
  const found = new Map();
  for (const each of readDer(element.body)) {
    const fields = new Fields(each);
    const [name, values] = [derOid(fields.take(OID)), readDer(fields.take(SET).body)];
    fields.end();
    if (found.has(name) || values.length !== 1) throw new Malformed("an attribute twice, or with several values");
    found.set(name, values[0]);
  }
  if (!found.has(CONTENT_TYPE) || !found.has(MESSAGE_DIGEST)) throw new Malformed("a signed attribute is not there");
  return found;
}

/** RFC 5816: the first certificate that the attribute names is the signer's. */
function namesSigner(element, signer, isSecond) {
  const listed = new Fields(new Fields(element).take(SEQUENCE)).left;
  if (!listed.length) return false;
  const fields = new Fields(listed[0]);
  let digest = isSecond ? "sha256" : "sha1";
  if (isSecond && fields.left.length && fields.left[0].tag === SEQUENCE) digest = hashOf(fields.take(SEQUENCE));
  const [hashed, named] = [fields.take(OCTETS).body, fields.maybe(SEQUENCE)];
  fields.end();
  const serial = integerDer(signer.serial);
  if (named && !(contains(named.body, signer.issuer) && equal(named.body.slice(-serial.length), serial))) return false;
  return equal(hashed, DIGESTS[digest](signer.whole));
}

function contains(whole, part) {
  for (let at = 0; at + part.length <= whole.length; at++) if (equal(whole.subarray(at, at + part.length), part)) return true;
  return false;
}

/** Whether the signer of a time-stamp is one of the given certificates, or leads to one through those it brought. */
export async function isByAuthority(stamp, given) {
  let current = stamp.signer;
  for (let step = 0; step < LIMITS.chain; step++) {
    const here = current;
    if (given.some((each) => equal(each.whole, here.whole))) return current.isInForce(stamp.at);
    const issuer = (await issuerOf(current, given, stamp.at)) ?? (await issuerOf(current, stamp.certificates, stamp.at));
    if (issuer === null || equal(issuer.whole, current.whole)) return false;
    current = issuer;
  }
  return false;
}

async function issuerOf(certificate, among, at) {
  for (const each of among) {
    if (!equal(each.subject, certificate.issuer) || !each.issues || !each.isInForce(at)) continue;
    try {
      if (await signatureVerifies(each.key, certificate.algorithm, "", certificate.signed, certificate.signature)) return each;
    } catch (error) {
      expect(error, Malformed);
    }
  }
  return null;
}
