/** What the charts use of vega and vega-lite, whose own declarations want a browser's types and contradict each other. */
export const View: new (
  runtime: unknown,
  options: { renderer: string; logLevel: number },
) => { toSVG(): Promise<string>; finalize(): void };
export const parse: (specification: unknown) => unknown;
export const compile: (specification: object) => { spec: unknown };
declare const level: number;

export { level as Error, level as Warn };
