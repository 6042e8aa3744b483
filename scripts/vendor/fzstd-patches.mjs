/**
 * What is changed in fzstd before it is bundled, and why; each patch as in msgpackr-patches.mjs.
 *
 * What hurts in the original: a window is allocated as large as a frame claims; a distance that reaches before the first byte
 * gives zeros; lengths beyond a block's room are counted up without a word, for as long as the data says; an output that the
 * caller brings is turned into text, byte by byte.
 */

/** @type {import("./msgpackr-patches.mjs").Patch[]} */
export const fzstdPatches = [
  {
    why: "headers and blocks are read one at a time, by a caller that owns the output and counts",
    from: "/**\n * Decompresses Zstandard data\n",
    put: "export { rzfh, rzb };\n/**\n * Decompresses Zstandard data\n",
  },
  {
    why: "an output that is given is compared with 1 as it is, not as the text of all its bytes",
    from: "new u8((w == 1 ?",
    put: "new u8((w === 1 ?",
  },
  { why: "the same", from: "(w && w != 1)", put: "(w && w !== 1)" },
  {
    why: "a distance that reaches before the first byte is corrupt",
    from: "var bs = st.e + stin;",
    put: "var bs = st.e + stin; if (bs < 0) err(4);",
  },
  {
    why: "a sequence that is longer than its block's room is corrupt",
    from: "for (var i = 0; i < ll; ++i) {\n                    buf[oubt + i] = buf[spl + i];",
    put: "if (ll < 0 || ml < 0 || spl + ll > buf.length || oubt + ll + ml > buf.length) err(0);\n                for (var i = 0; i < ll; ++i) {\n                    buf[oubt + i] = buf[spl + i];",
  },
];
