/** Flows that the kernel keeps in mind (linux/netfilter/nfnetlink_conntrack.h): told, and forgotten on request. */
import type { Message } from '../answers.ts';
import { Attributes } from '../attributes.ts';
import { familyOf, type MessageWriter, NLA_F_NESTED } from '../message.ts';
import { NFGENMSG_LEN, NFNL_SUBSYS_CTNETLINK, NFPROTO_UNSPEC, netfilterMessage, netfilterType } from '../netfilter.ts';

const CT_NEW = netfilterType(NFNL_SUBSYS_CTNETLINK, 0);
const CT_GET = netfilterType(NFNL_SUBSYS_CTNETLINK, 1);
const CT_DELETE = netfilterType(NFNL_SUBSYS_CTNETLINK, 2);
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_TIMEOUT = 7;
const CTA_COUNTERS_ORIG = 9;
const CTA_COUNTERS_REPLY = 10;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_COUNTERS_PACKETS = 1;
const CTA_COUNTERS_BYTES = 2;
const CTA_FILTER_ORIG_FLAGS = 1;
/** Which fields of the original tuple are asked for (the kernel's nf_internals.h; Linux 5.8). */
const FILTER_IP_DST = 1 << 1;
const FILTER_PROTO_NUM = 1 << 3;
const FILTER_DST_PORT = 1 << 5;
/** linux/netfilter/nf_conntrack_common.h */
export const FlowStatus = { sourceNat: 0x10, destinationNat: 0x20 } as const;

/** One way of a flow. */
export interface FlowWay {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** 0 where the protocol has none. */
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export interface FlowRow {
  readonly protocol: number;
  /** Of several worlds of flows on one machine; 0 where there is one. */
  readonly zone: number;
  /** As its first packet came, before any translation. */
  readonly original: FlowWay;
  /** As answers come: its source is where the destination has led, its destination what the source has become. */
  readonly reply: FlowWay;
  /** Bits of `FlowStatus` and others. */
  readonly status: number;
  readonly timeoutSeconds: number;
  /** Of both ways; null when the kernel does not count (net.netfilter.nf_conntrack_acct). */
  readonly packets: number | null;
  readonly bytes: number | null;
  /** For `deleteFlow`. */
  readonly identity: FlowIdentity;
}

export interface FlowIdentity {
  readonly family: number;
  /** Attributes of the original tuple, as the kernel told them. */
  readonly tuple: Uint8Array;
  readonly id: Uint8Array;
  readonly zone: Uint8Array | null;
}

export interface FlowFilter {
  /** AF_INET or AF_INET6. */
  readonly family: number;
  /** Of the original tuple; null: any. */
  readonly destination: Uint8Array | null;
  readonly service: { readonly protocol: number; readonly port: number } | null;
}

/**
 * All flows of both families, or those that a filter lets through, for a dump. Kernels before 5.8 tell more than they are asked for, so
 * whoever asks looks at what comes.
 */
export function askFlows(filter: FlowFilter | null): Uint8Array {
  const writer = netfilterMessage(CT_GET, 0, filter?.family ?? NFPROTO_UNSPEC);
  if (filter === null || (filter.destination === null && filter.service === null)) return writer.done();
  const { destination, service } = filter;
  writer.nested(CTA_TUPLE_ORIG, () => {
    if (destination !== null) writer.nested(CTA_TUPLE_IP, () => writeDestination(writer, destination));
    if (service !== null)
      writer.nested(CTA_TUPLE_PROTO, () => {
        writer.attributeU8(CTA_PROTO_NUM, service.protocol).attributeBe16(CTA_PROTO_DST_PORT, service.port);
      });
  });
  const flags =
    (destination === null ? 0 : FILTER_IP_DST) | (service === null ? 0 : FILTER_PROTO_NUM | FILTER_DST_PORT);
  return writer.nested(CTA_FILTER, () => writer.attributeU32(CTA_FILTER_ORIG_FLAGS, flags)).done();
}

function writeDestination(writer: MessageWriter, destination: Uint8Array): void {
  writer.attribute(destination.length === 4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, destination);
}

/** ENOENT when it has ended meanwhile. */
export function deleteFlow({ family, tuple, id, zone }: FlowIdentity): Uint8Array {
  const writer = netfilterMessage(CT_DELETE, 0, family);
  writer.attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, tuple).attribute(CTA_ID, id);
  if (zone !== null) writer.attribute(CTA_ZONE, zone);
  return writer.done();
}

const attributes = new Attributes(CTA_ZONE);
const tuple = new Attributes(CTA_TUPLE_PROTO);
const ip = new Attributes(CTA_IP_V6_DST);
const proto = new Attributes(CTA_PROTO_DST_PORT);
const counters = new Attributes(CTA_COUNTERS_BYTES);

/** Null: this is no flow of those families. */
export function parseFlow({ view, type, body, end }: Message): FlowRow | null {
  if (type !== CT_NEW || end - body < NFGENMSG_LEN) return null;
  attributes.read(view, body + NFGENMSG_LEN, end);
  const original = readWay(CTA_TUPLE_ORIG);
  const protocol = original === null ? null : proto.u8(CTA_PROTO_NUM);
  const reply = readWay(CTA_TUPLE_REPLY);
  const id = attributes.bytes(CTA_ID, 4);
  if (original === null || reply === null || protocol === null || id === null) return null;
  return {
    protocol,
    zone: attributes.be16(CTA_ZONE) ?? 0,
    original,
    reply,
    status: attributes.be32(CTA_STATUS) ?? 0,
    timeoutSeconds: attributes.be32(CTA_TIMEOUT) ?? 0,
    packets: sum(CTA_COUNTERS_PACKETS),
    bytes: sum(CTA_COUNTERS_BYTES),
    identity: {
      family: familyOf(original.source),
      tuple: attributes.bytes(CTA_TUPLE_ORIG)!,
      id,
      zone: attributes.bytes(CTA_ZONE, 2),
    },
  };
}

function readWay(type: number): FlowWay | null {
  ip.readNested(tuple.readNested(attributes, type), CTA_TUPLE_IP);
  proto.readNested(tuple, CTA_TUPLE_PROTO);
  const source = ip.bytes(CTA_IP_V4_SRC, 4) ?? ip.bytes(CTA_IP_V6_SRC, 16);
  const destination = ip.bytes(CTA_IP_V4_DST, 4) ?? ip.bytes(CTA_IP_V6_DST, 16);
  if (source === null || destination === null || source.length !== destination.length) return null;
  return {
    source,
    destination,
    sourcePort: proto.be16(CTA_PROTO_SRC_PORT) ?? 0,
    destinationPort: proto.be16(CTA_PROTO_DST_PORT) ?? 0,
  };
}

function sum(which: number): number | null {
  const there = counters.readNested(attributes, CTA_COUNTERS_ORIG).be64(which);
  const back = counters.readNested(attributes, CTA_COUNTERS_REPLY).be64(which);
  return there === null || back === null ? null : there + back;
}
