/** Big-endian loads and stores: Kafka's files are big-endian, linear memory is not. */

// @ts-ignore: decorator
@inline
export function loadI16(at: usize): i32 {
  return <i32>(<i16>bswap<u16>(load<u16>(at)));
}

// @ts-ignore: decorator
@inline
export function loadI32(at: usize): i32 {
  return <i32>bswap<u32>(load<u32>(at));
}

// @ts-ignore: decorator
@inline
export function loadI64(at: usize): i64 {
  return <i64>bswap<u64>(load<u64>(at));
}

// @ts-ignore: decorator
@inline
export function storeI16(at: usize, value: i32): void {
  store<u16>(at, bswap<u16>(<u16>value));
}

// @ts-ignore: decorator
@inline
export function storeI32(at: usize, value: i32): void {
  store<u32>(at, bswap<u32>(<u32>value));
}

// @ts-ignore: decorator
@inline
export function storeI64(at: usize, value: i64): void {
  store<u64>(at, bswap<u64>(<u64>value));
}
