/** A core that the runtime or its bundler has compiled already: a WebAssembly.Module, typed without the DOM library. */
declare module "*.wasm" {
  const module: object;
  export default module;
}
declare module "*.wasm?module" {
  const module: object;
  export default module;
}
