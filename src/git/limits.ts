import { GatewayError } from "../errors.ts";
import type { PushLimits } from "../model/push-limits.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

export const defaultPushLimits: PushLimits = {
  packBytes: 2 * GIB,
  objects: 1_000_000,
  objectBytes: 100 * MIB,
  commitBytes: 4 * MIB,
  inflatedBytes: 64 * GIB,
  inflationRatio: 500,
  inflatedFreeBytes: 2 * GIB,
  commits: 50_000,
  additionBytes: 8 * GIB,
  changedPaths: 5_000_000,
  treeDepth: 1_000,
  findings: 10_000,
  gitTimeoutMs: 15 * 60_000,
  scanMs: 20_000,
  inspectionMs: 10 * 60_000,
};

/** `419430400` → `400 MiB`; exact below 10 KiB. */
function formatBytes(bytes: number): string {
  if (bytes < 10 * KIB) return `${bytes} bytes`;
  const [unit, name] = bytes < MIB ? [KIB, "KiB"] : bytes < GIB ? [MIB, "MiB"] : [GIB, "GiB"];
  const value = bytes / unit;
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${name}`;
}

const exceeded = (message: string): GatewayError => new GatewayError("limit_exceeded", message);

/** Each value as an operator sets it: a key below `limits:` of an entry of `pushes:`. */
const ofPush = (key: string): string => `the limit of one push (limits.${key})`;

const FEWER = "push fewer commits at a time";

/** One text for each bound, so that whoever pushes knows which it was, what to do, and which setting to ask the operator for. */
export const overLimit = {
  packBytes: (limit: number) =>
    exceeded(`the pack is larger than ${formatBytes(limit)}, ${ofPush("packBytes")}: ${FEWER}`),
  objects: (count: number, limit: number) =>
    exceeded(`the pack holds ${count} objects, ${ofPush("objects")} is ${limit}: ${FEWER}`),
  objectBytes: (bytes: number, limit: number) =>
    exceeded(
      `an object of the pack is ${formatBytes(bytes)} unpacked, the limit of one object (limits.objectBytes) is ${formatBytes(limit)}: ` +
        `keep files of that size in Git LFS, and take this one out of every commit that has it`,
    ),
  commitBytes: (kind: string, oid: string, bytes: number, limit: number) =>
    exceeded(
      `${kind} ${oid} is ${formatBytes(bytes)}, the limit of a commit or tag object is ${formatBytes(limit)}: shorten its message`,
    ),
  inflatedBytes: (limit: number) =>
    exceeded(
      `the objects of the pack are more than ${formatBytes(limit)} unpacked, ${ofPush("inflatedBytes")}: ${FEWER}`,
    ),
  inflationRatio: (ratio: number) =>
    exceeded(
      `the pack unpacks to more than ${ratio} bytes for each byte sent, ${ofPush("inflationRatio")}: ` +
        `${FEWER}, or keep files that compress so well out of the repository`,
    ),
  commits: (count: number, limit: number) =>
    exceeded(
      `the push brings ${count} new commits, ${ofPush("commits")} is ${limit}: push an older commit first, then the rest`,
    ),
  rangeCommits: (ref: string, count: number, limit: number) =>
    exceeded(
      `${ref} moves over ${count} commits, ${ofPush("commits")} is ${limit}: move it in steps, to a commit in between first`,
    ),
  changedPaths: (limit: number) =>
    exceeded(`the commits of this push change more than ${limit} paths, ${ofPush("changedPaths")}: ${FEWER}`),
  treeDepth: (limit: number) =>
    exceeded(
      `a commit of this push nests directories more than ${limit} deep, ${ofPush("treeDepth")}: take them apart`,
    ),
  findings: (limit: number) =>
    exceeded(
      `what this push adds holds more than ${limit} secrets or what looks like them, ${ofPush("findings")}: ` +
        `denied without reading the rest; take them out of every commit, or ${FEWER}`,
    ),
  inspectionTime: (limitMs: number) =>
    exceeded(`reading the push took longer than ${limitMs / 1000} s, ${ofPush("time")}: ${FEWER}`),
  gitTime: (what: string, limitMs: number) =>
    exceeded(`${what} took longer than ${limitMs / 1000} s, ${ofPush("time")}: ${FEWER}`),
  additionBytes: (limit: number) =>
    exceeded(
      `the commits of this push add more than ${formatBytes(limit)} of content, ${ofPush("diffBytes")}: ${FEWER}`,
    ),
};
