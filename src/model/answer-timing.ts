/** A moment of a streamed answer: `ms` milliseconds after its first byte, `length` characters of it had come. */
export interface TimingPoint {
  readonly length: number;
  readonly ms: number;
}
