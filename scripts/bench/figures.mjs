/** Figures as the page writes them. Five digits were recorded; three are read. */

export function figure(value, unit) {
  if (value === null || value === undefined) return "";
  if (unit === "B/s") return `${three(value / 1e9 >= 1 ? value / 1e9 : value / 1e6)} ${value / 1e9 >= 1 ? "GB/s" : "MB/s"}`;
  const [scaled, letter] = value >= 1e6 ? [value / 1e6, " M"] : value >= 1e4 ? [value / 1e3, " k"] : [value, ""];
  return `${three(scaled)}${letter} ${unit}`.trim();
}

export function three(value) {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString("en-US", { minimumFractionDigits: Math.min(digits, 4), maximumFractionDigits: Math.min(digits, 4) });
}

export function percentOf(ratio) {
  if (ratio === null || ratio === undefined) return "";
  return `${(ratio * 100).toFixed(ratio < 0.095 ? 1 : 0)} %`;
}

export function range(spread) {
  return spread === null || spread === undefined ? "" : `${percentOf(spread[0]).replace(" %", "")} to ${percentOf(spread[1])}`;
}

/** A table in Markdown. `alignment`: a letter a column, "l" or "r". */
export function table(head, alignment, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = [...alignment].map((side) => (side === "r" ? "---:" : "---"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
