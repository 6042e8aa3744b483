/**
 * What is changed in msgpackr before it is bundled, and why. Each patch replaces the text from `from` up to (not including)
 * `to`, or `from` alone; each must match exactly `times` times, so that a new version of msgpackr cannot slip past one.
 *
 * What hurts in the original: code made from strings; extensions of its own that no other language reads; `__proto__`
 * renamed; -0, lone surrogates, bad UTF-8, typed arrays wider than a byte and unknown types altered without a word;
 * whole numbers above 2^32 written as floats; depth bounded by nothing but the stack; an own property left on the caller's bytes.
 */

/** @typedef {{ why: string, from: string, to?: string, put: string, times?: number }} Patch */

/** @type {Patch[]} */
export const unpackPatches = [
  {
    why: "text that is not UTF-8 is refused; a leading U+FEFF is part of the text",
    from: "decoder = new TextDecoder();",
    put: 'decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });',
  },
  { why: "the same, byte by byte", from: "units.push(0xFFFD)", put: "throwNotUtf8()", times: 7 },
  {
    why: "no property is left on the caller's bytes; of a batch the next message is read through the same view, a large one is not held for it",
    from: "dataView = source.dataView || (source.dataView = new DataView(source.buffer, source.byteOffset, source.byteLength));",
    put: `if (source !== viewed || source.length !== viewedLength) {
				viewed = null;
				dataView = new DataView(source.buffer, source.byteOffset, source.byteLength);
				viewedLength = source.length;
				if (viewedLength <= 0x100000) viewed = source;
			}`,
  },
  { why: "the same", from: "var dataView;", put: "var dataView, viewed = null, viewedLength = 0;" },
  {
    why: "the same",
    from: "		dataView = new DataView(src.buffer, src.byteOffset, src.byteLength);\n	}\n}",
    put: "		dataView = new DataView(src.buffer, src.byteOffset, src.byteLength);\n		viewed = null;\n	}\n}",
  },
  {
    why: "no native extractor makes it worth to read short text another way where the source is long",
    from: "if (srcStringEnd == 0 && srcEnd < 140) {",
    put: "if (srcStringEnd == 0) {",
  },
  { why: "the same", from: "!(srcStringEnd == 0 && srcEnd < 180)", put: "srcStringEnd != 0" },
  {
    why: "every message begins at depth 0",
    from: "arrayAllocationBudget = srcEnd - position;",
    put: "arrayAllocationBudget = srcEnd - position; depth = 0;",
  },
  {
    why: "no records; maps and arrays of every size go one bounded way",
    from: "			if (token < 0x40)\n				return token;\n			else {\n				let structure",
    to: "	} else if (token < 0xc0) {\n		// fixstr",
    put: "			return token;\n		} else if (token < 0x90) {\n			return readMap(token - 0x80);\n		} else {\n			return readArray(token - 0x90);\n		}\n",
  },
  {
    why: "0xc1 is never used; no bundled strings",
    from: "				if (bundledStrings) {\n					value = read(); // followed",
    to: "			case 0xc2: return false;",
    put: '				throw new Error("0xc1 is no MessagePack");\n',
  },
  {
    why: "no records, no shorthand extensions",
    from: "				value = src[position++];\n				if (value == 0x72) {",
    to: "			case 0xd6:",
    put: "				return readExt(1);\n			case 0xd5:\n				return readExt(2);\n",
  },
  {
    why: "no records, and with them no code made from strings",
    from: "const validName = ",
    to: "var readFixedString = readStringJS;",
    put: "",
  },
  { why: "no native extractor", from: "export function setExtractor(extractStrings) {", to: "function readStringJS(length) {", put: "" },
  {
    why: "depth is bounded, __proto__ is a name like any other",
    from: "function readArray(length) {",
    to: "var fromCharCode = String.fromCharCode;",
    put: `
var depth = 0;
function throwNotUtf8() {
	throw new Error("a string is not UTF-8");
}
function enter() {
	if (++depth > DEPTH_MAX) throw new Error("nested deeper than " + DEPTH_MAX);
}
function readArray(length) {
	if (length > srcEnd - position || (arrayAllocationBudget -= length) < 0) throw endOfMessagePackError(position + length);
	enter();
	let array = new Array(length);
	for (let i = 0; i < length; i++) {
		array[i] = read();
	}
	depth--;
	return array;
}
function readMap(length) {
	if (length > (srcEnd - position) / 2) throw endOfMessagePackError(position + 2 * length);
	enter();
	let object = {};
	for (let i = 0; i < length; i++) {
		let key = readKey();
		if (key === "__proto__") Object.defineProperty(object, key, { value: read(), writable: true, enumerable: true, configurable: true });
		else object[key] = read();
	}
	depth--;
	return object;
}
`,
  },
  { why: "a key enters the cache only when it is whole", from: "	entry = [];\n	keyCache[key] = entry;\n", put: "	entry = [];\n" },
  {
    why: "the same",
    from: "	if (string != null)\n		return entry.string = string;\n	return entry.string = readFixedString(length);\n}\n\nfunction asSafeString",
    put: "	if (string == null) string = readFixedString(length);\n	entry.string = string;\n	if (position <= srcEnd) keyCache[key] = entry;\n	return string;\n}\n\nfunction asSafeString",
  },
  {
    why: "no extension but the specification's timestamp, and that one exactly",
    from: "// the registration of the record definition extension",
    to: "// registration of bulk record definition?",
    put: `
export const typedArrays = [];
currentExtensions[0xff] = (data) => {
	const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
	let nanoseconds, seconds;
	if (data.length === 4) {
		nanoseconds = 0;
		seconds = view.getUint32(0);
	} else if (data.length === 8) {
		nanoseconds = view.getUint32(0) >>> 2;
		seconds = (view.getUint32(0) & 3) * 0x100000000 + view.getUint32(4);
	} else if (data.length === 12) {
		nanoseconds = view.getUint32(0);
		seconds = Number(view.getBigInt64(4));
	} else throw new Error("a timestamp of " + data.length + " bytes");
	const date = new Date(seconds * 1000 + Math.floor(nanoseconds / 1000000));
	if (nanoseconds > 999999999 || Number.isNaN(date.getTime())) throw new Error("a timestamp that no Date can hold");
	return date;
};
`,
  },
  {
    why: "64-bit integers are numbers while they are exact, without a BigInt on the way",
    from: "				if (currentUnpackr.int64AsType === 'number') {\n					value = dataView.getUint32(position) * 0x100000000;",
    to: "			// int handlers",
    put: `				value = dataView.getUint32(position);
				value = value < 0x200000 ? value * 0x100000000 + dataView.getUint32(position + 4) : dataView.getBigUint64(position);
				position += 8;
				return value;

`,
  },
  {
    why: "the same, signed",
    from: "				if (currentUnpackr.int64AsType === 'number') {\n					value = dataView.getInt32(position) * 0x100000000;",
    to: "			case 0xd4:",
    put: `				value = dataView.getInt32(position);
				if (value >= -0x200000 && value < 0x200000) {
					value = value * 0x100000000 + dataView.getUint32(position + 4);
					if (value === -0x20000000000000) value = dataView.getBigInt64(position);
				} else value = dataView.getBigInt64(position);
				position += 8;
				return value;

`,
  },
];

/** @type {Patch[]} */
export const packPatches = [
  {
    why: "every message begins at depth 0",
    from: "			packing = true;\n			instancePacking = true;\n			try {",
    put: "			packing = true;\n			instancePacking = true;\n			let outerDepth = depth;\n			depth = 0;\n			try {",
  },
  {
    why: "the depth of the message around it comes back",
    from: "			} finally {\n				instancePacking = false;\n				if (structures) {",
    put: "			} finally {\n				depth = outerDepth;\n				instancePacking = false;\n				if (structures) {",
  },
  {
    why: "depth is bounded",
    from: "		const packArray = (value) => {\n			var length = value.length;",
    put: `		let depth = 0;
		const enter = () => {
			if (++depth > DEPTH_MAX) throw new RangeError("nested deeper than " + DEPTH_MAX + ", or a cycle");
		};
		const packArray = (value) => {
			enter();
			packItems(value);
			depth--;
		};
		const packItems = (value) => {
			var length = value.length;`,
  },
  {
    why: "half a character pair is refused, not written as bytes that are no UTF-8",
    from: "						} else {\n							target[strPosition++] = c1 >> 12 | 0xe0;",
    put: "						} else {\n							if ((c1 & 0xf800) === 0xd800) throwNotWellFormed();\n							target[strPosition++] = c1 >> 12 | 0xe0;",
  },
  {
    why: "the same, for long text",
    from: "					length = encodeUtf8(value, position + headerSize);",
    put: "					if (!value.isWellFormed()) throwNotWellFormed();\n					length = encodeUtf8(value, position + headerSize);",
  },
  {
    why: "-0 stays -0",
    from: "				if (value >>> 0 === value) {// positive",
    put: "				if (value >>> 0 === value && (value !== 0 || 1 / value > 0)) {// positive",
  },
  {
    why: "the same",
    from: "				} else if (value >> 0 === value) { // negative integer",
    put: "				} else if (value >> 0 === value && value !== 0) { // negative integer",
  },
  {
    why: "a whole number is written as one, so that a typed language can read it into one",
    from: "					let useFloat32;\n",
    to: "					target[position++] = 0xcb;\n					targetView.setFloat64(position, value);\n					position += 8;\n				}\n			} else if (type === 'object'",
    put: `					if (Number.isSafeInteger(value) && value !== 0) {
						target[position++] = value > 0 ? 0xcf : 0xd3;
						targetView.setInt32(position, Math.floor(value / 0x100000000));
						targetView.setUint32(position + 4, value >>> 0);
						position += 8;
						return;
					}
`,
  },
  {
    why: "depth is bounded in Maps",
    from: "							for (let [key, entryValue] of value) {\n								pack(key);\n								pack(entryValue);\n							}",
    put: '							enter();\n							for (let [key, entryValue] of value) {\n								if (typeof key !== "string") throw new TypeError("a Map with a key that is not a string");\n								pack(key);\n								pack(entryValue);\n							}\n							depth--;',
  },
  {
    why: "what has no MessagePack form of its own is refused",
    from: "							// if there is a writeFunction",
    to: "							// no extension found, write as plain object",
    put: "							if (type === 'function' || isOpaque(value)) throw new TypeError('no MessagePack form for ' + Object.prototype.toString.call(value));\n",
  },
  {
    why: "a symbol is named without being read",
    from: "				throw new Error('Unknown type: ' + type);",
    put: "				throw new TypeError('no MessagePack form for a ' + type);",
  },
  {
    why: "one way to write an object: own enumerable names, undefined left out as in JSON, the shortest header",
    from: "		const writePlainObject = ",
    to: "		const makeRoom = (end) => {",
    put: `		const writePlainObject = (object) => {
			enter();
			if (typeof object.toJSON === "function") {
				pack(object.toJSON());
				depth--;
				return;
			}
			const keys = Object.keys(object);
			let length = keys.length;
			if (length < 0x10) {
				const headerAt = position++ - start;
				let written = 0;
				for (let i = 0; i < length; i++) {
					const value = object[keys[i]];
					if (value === undefined) continue;
					pack(keys[i]);
					pack(value);
					written++;
				}
				target[headerAt + start] = 0x80 | written;
			} else {
				const values = new Array(length);
				let written = 0;
				for (let i = 0; i < length; i++) if ((values[i] = object[keys[i]]) !== undefined) written++;
				if (written < 0x10) {
					target[position++] = 0x80 | written;
				} else if (written < 0x10000) {
					target[position++] = 0xde;
					target[position++] = written >> 8;
					target[position++] = written & 0xff;
				} else {
					target[position++] = 0xdf;
					targetView.setUint32(position, written);
					position += 4;
				}
				for (let i = 0; i < length; i++) {
					if (values[i] === undefined) continue;
					pack(keys[i]);
					pack(values[i]);
				}
			}
			depth--;
		};
		const writeObject = writePlainObject;

`,
  },
  {
    why: "a large message does not keep its memory for good",
    from: "if (target.length > 0x40000000) target = null;",
    put: "if (target.length > 0x100000) target = null;",
    times: 2,
  },
  { why: "no records", from: "		const newRecord = (transition, keys, newTransitions) => {", to: "	}\n	useBuffer(buffer) {", put: "" },
  {
    why: "no records",
    from: "		const rebuildTransitions = (sharedLength) => {",
    to: "		const saveState = (value, encodeOptions) => {",
    put: "		const rebuildTransitions = () => {};\n",
  },
  {
    why: "no records",
    from: "		const resetStructures = () => {",
    to: "		let depth = 0;",
    put: "		const resetStructures = () => {};\n",
  },
  {
    why: "Date and Uint8Array have forms of their own in MessagePack; nothing else has",
    from: "extensionClasses = [ Date, Set,",
    to: "function writeBuffer(buffer, allocateForWrite) {",
    put: `
extensionClasses = [ Date, Uint8Array ];
extensions = [{
	pack(date, allocateForWrite) {
		const time = date.getTime();
		if (Number.isNaN(time)) {
			allocateForWrite(0);
			throw new RangeError("an invalid Date");
		}
		const seconds = Math.floor(time / 1000);
		const nanoseconds = (time - seconds * 1000) * 1000000;
		if (nanoseconds === 0 && seconds >= 0 && seconds < 0x100000000) {
			let { target, targetView, position } = allocateForWrite(6);
			target[position++] = 0xd6;
			target[position++] = 0xff;
			targetView.setUint32(position, seconds);
		} else if (seconds >= 0 && seconds < 0x400000000) {
			let { target, targetView, position } = allocateForWrite(10);
			target[position++] = 0xd7;
			target[position++] = 0xff;
			targetView.setUint32(position, nanoseconds * 4 + Math.floor(seconds / 0x100000000));
			targetView.setUint32(position + 4, seconds >>> 0);
		} else {
			let { target, targetView, position } = allocateForWrite(15);
			target[position++] = 0xc7;
			target[position++] = 12;
			target[position++] = 0xff;
			targetView.setUint32(position, nanoseconds);
			targetView.setBigInt64(position + 4, BigInt(seconds));
		}
	}
}, {
	pack(bytes, allocateForWrite) {
		writeBuffer(bytes, allocateForWrite);
	}
}];
const builtInExtensionCount = extensions.length;
function throwNotWellFormed() {
	throw new TypeError("a string with half a surrogate pair, which UTF-8 cannot hold");
}
const opaque = [ ArrayBuffer, Set, WeakMap, WeakSet, RegExp, Error, Promise ];
function isOpaque(value) {
	return ArrayBuffer.isView(value) || opaque.some((type) => value instanceof type);
}
`,
  },
];
