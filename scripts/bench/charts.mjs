/** The charts of docs/BENCHMARKS.md, drawn by vega-lite: specifications in, SVG out, the same bytes for the same figures. */
import * as vega from "vega";
import { compile } from "vega-lite";
import { LIMIT_PEERS } from "./aims.mjs";

const CONFIG = {
  font: "sans-serif",
  background: "white",
  view: { stroke: null },
  axis: { labelLimit: 340, grid: true, gridColor: "#e6e6e6", labelColor: "#333", titleColor: "#333", titleFontWeight: "normal" },
  range: { category: ["#1f6f8b", "#c8553d", "#6a994e", "#8e6bbf", "#d9a441", "#4a4e69", "#3aa17e", "#9c6644", "#7f8c8d"] },
};
const OURS = "#1f6f8b";
const OTHERS = "#b8c4cc";

/** @returns {Promise<string>} */
export async function svgOf(specification) {
  const { spec } = compile({ $schema: "https://vega.github.io/schema/vega-lite/v6.json", config: CONFIG, ...specification });
  const view = new vega.View(vega.parse(spec), { renderer: "none", logLevel: vega.Error });
  const svg = await view.toSVG();
  view.finalize();
  return `${svg}\n`;
}

/** Shares of the raw limit, and a tick where the budget stands. */
export function ratiosChart(results) {
  const values = results
    .filter(({ budget }) => budget?.ratio !== undefined && budget.ratio <= 1)
    .map(({ name, ratio, spread, budget }) => ({ name, ratio, low: spread[0], high: Math.min(spread[1], 1.5), budget: budget.ratio }));
  const y = { field: "name", type: "nominal", sort: null, title: null };
  const scale = { domain: [0, 1.5], clamp: true };
  return {
    data: { values },
    width: 460,
    height: { step: 22 },
    layer: [
      {
        mark: { type: "bar", color: OURS },
        encoding: {
          y,
          x: {
            field: "ratio",
            type: "quantitative",
            scale,
            axis: { format: "%" },
            title: "share of the raw limit in the same run; the tick is the budget, the line the rounds",
          },
        },
      },
      {
        mark: { type: "rule", color: "#333", opacity: 0.5 },
        encoding: { y, x: { field: "low", type: "quantitative", scale }, x2: { field: "high" } },
      },
      {
        mark: { type: "tick", color: "#c8553d", thickness: 3, size: 20 },
        encoding: { y, x: { field: "budget", type: "quantitative", scale } },
      },
    ],
  };
}

/** Costs in one direction, each in multiples of its first point, on logarithmic paper; the grey line is proportion. */
export function growthChart(results, mode) {
  const measured = results.filter((result) => result.mode === mode && result.x !== undefined);
  const first = new Map();
  for (const { series, value } of measured) if (!first.has(series)) first.set(series, value);
  const values = measured.map(({ series, x, value }) => ({ series, x, times: value / first.get(series) }));
  const axis = measured[0].axis;
  const from = Math.min(...measured.map(({ x }) => x));
  const to = Math.max(...measured.map(({ x }) => x));
  const x = { field: "x", type: "quantitative", scale: { type: "log" }, title: axis, axis: { format: "~s" } };
  const y = {
    field: "times",
    type: "quantitative",
    scale: { type: "log" },
    title: "cost, times the first point's",
    axis: { format: "~g" },
  };
  return {
    width: 520,
    height: 280,
    layer: [
      {
        data: { values: [from, to].map((at) => ({ x: at, times: at / from })) },
        mark: { type: "line", color: "#999", strokeDash: [4, 4] },
        encoding: { x, y },
      },
      {
        data: { values },
        mark: { type: "line", point: true },
        encoding: { x, y, color: { field: "series", type: "nominal", sort: null, title: null } },
      },
    ],
  };
}

/** Small multiples: a measure each, a bar for each peer, the raw file and the bare loop left out: they are limits, not rivals. */
export function peersChart(results, measures) {
  const chart = (measure) => {
    const found = results.filter((result) => result.measure === measure && !LIMIT_PEERS.includes(result.peer));
    const better = found[0]?.better === "lower" ? "ascending" : "descending";
    const values = found
      .filter(({ verified }) => typeof verified !== "object" || verified.isDurable)
      .map(({ peer, value }) => ({ peer, value, whose: peer === "odradek" ? "ours" : "others" }));
    return {
      title: { text: measure, fontSize: 12, fontWeight: "normal", anchor: "start" },
      data: { values },
      width: 250,
      height: { step: 16 },
      mark: "bar",
      encoding: {
        y: { field: "peer", type: "nominal", sort: { field: "value", order: better }, title: null },
        x: {
          field: "value",
          type: "quantitative",
          title: `${found[0]?.unit ?? ""}${better === "ascending" ? ", less is better" : ""}`,
          axis: { format: "~s", tickCount: 4 },
        },
        color: { field: "whose", type: "nominal", legend: null, scale: { domain: ["ours", "others"], range: [OURS, OTHERS] } },
      },
    };
  };
  return { columns: 2, concat: measures.map(chart) };
}
