// The animation as the page has it: each stop with the headers of its packet, which the engine sends once for all stops.
import type { Layer, SendResult as SentResult, Stop as SentStop, Timeline as SentTimeline } from './generated/hoplab_bindings.js'

export type Stop = Omit<SentStop, 'packet'> & {
  /** The packet as it leaves this stop, outermost header first. */
  packet: Layer[]
}

export type Timeline = Omit<SentTimeline, 'stops' | 'layers'> & { stops: Stop[] }

export type SendResult = Omit<SentResult, 'timeline'> & { timeline: Timeline }

/** The result with headers in place of their numbers. */
export function withHeaders(sent: SentResult): SendResult {
  const { layers, stops, ...rest } = sent.timeline
  const headers = (numbers: number[]) => numbers.flatMap((n) => layers[n] ?? [])
  return { ...sent, timeline: { ...rest, stops: stops.map((stop) => ({ ...stop, packet: headers(stop.packet) })) } }
}
