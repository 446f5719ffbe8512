// Uses the types that openapi-typescript generates against a daemon that holds the fixture's image.
// Arguments: socket, the name of the image.
import assert from "node:assert";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import { Agent } from "undici";
import type { components, paths } from "./engine.js";

type Schemas = components["schemas"];

const [socketPath, name] = process.argv.slice(2) as [string, string];
const dispatcher = new Agent({ connect: { socketPath } });
const client = createClient<paths>({ baseUrl: `http://localhost/v${process.env.NEWEST_API}`, requestInitExt: { dispatcher } });
const path = { name };
const arm = JSON.stringify({ os: "linux", architecture: "arm64" } satisfies Schemas["OCIPlatform"]);

/** What a request that must succeed answers. */
function data<T>(answer: { data?: T; error?: Schemas["ErrorResponse"]; response: Response }): T {
  assert.ok(answer.response.ok && answer.data !== undefined, `${answer.response.status} ${answer.error?.message}`);
  return answer.data;
}

function only<T>(all: readonly T[]): T {
  const [first, ...rest] = all;
  assert.ok(first !== undefined && rest.length === 0, JSON.stringify(all));
  return first;
}

/** The objects of a stream, as they arrive. */
async function* lines<T>(answer: { data?: ReadableStream<Uint8Array> | null; error?: Schemas["ErrorResponse"]; response: Response }) {
  const decoder = new TextDecoder();
  let buffered = "";
  for await (const piece of data(answer) as ReadableStream<Uint8Array>) {
    const whole = (buffered + decoder.decode(piece, { stream: true })).split("\n");
    buffered = whole.pop() ?? "";
    for (const line of whole) yield JSON.parse(line) as T;
  }
}

async function all<T>(lines: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const line of lines) collected.push(line);
  return collected;
}

// The daemon.
const ping = await client.GET("/_ping", { parseAs: "text" });
assert.equal(data(ping), "OK");
assert.equal(ping.response.headers.get("Api-Version"), process.env.NEWEST_API);
const version: Schemas["SystemVersion"] = data(await client.GET("/version"));
assert.equal(version.Components?.[0]?.Name, "Engine");
const info = data(await client.GET("/info"));
assert.deepEqual([info.Images, info.Swarm.LocalNodeState, info.GenericResources], [1, "inactive", null]);
const usage = data(await client.GET("/system/df", { params: { query: { type: ["image"], verbose: false } } }));
assert.deepEqual([usage.ImageUsage?.TotalCount, usage.Images], [1, undefined]);

// The list, with the platforms of an image and the statements about each.
const filters = JSON.stringify({ reference: [name] });
const image = only(data(await client.GET("/images/json", { params: { query: { manifests: true, filters } } })));
assert.ok(image.RepoTags.includes(name));
assert.equal(image.Descriptor?.digest, image.Id);
const platforms = new Map<string, string>();
const statements: Schemas["StatementDescriptor"][] = [];
for (const manifest of image.Manifests ?? []) {
  switch (manifest.Kind) {
    case "image":
      platforms.set(manifest.ID, manifest.ImageData?.Platform.architecture ?? "");
      break;
    case "attestation":
      assert.ok(platforms.has(manifest.AttestationData?.For ?? ""));
      statements.push(...(manifest.AttestationData?.Statements ?? []));
      break;
    case "unknown":
      break;
    default:
      // A kind that the document does not name is an error of the compiler.
      manifest.Kind satisfies never;
  }
}
assert.ok([...platforms.values()].includes("arm64") && statements.length > 0, JSON.stringify(image));

// One image, of one platform.
const inspected = data(await client.GET("/images/{name}/json", { params: { path, query: { platform: arm } } }));
assert.equal(inspected.Architecture, "arm64");
assert.equal(platforms.get(inspected.Id), "arm64");
assert.ok(inspected.RootFS.Layers !== undefined && inspected.Config?.Cmd !== undefined);
const steps = data(await client.GET("/images/{name}/history", { params: { path, query: { platform: arm } } }));
assert.deepEqual([steps[0]?.Id, steps.at(-1)?.Tags], [image.Id, null]);

// Its attestations: what is listed, what is said, and the very bytes.
const query = { platform: [arm], statement: true };
const told = data(await client.GET("/images/{name}/attestations", { params: { path, query } }));
assert.ok(told.length > 0);
for (const { Descriptor: descriptor, PredicateType, Statement } of told) {
  assert.ok(statements.some((one) => one.Descriptor.digest === descriptor.digest && one.PredicateType === PredicateType));
  const params = { path: { digest: descriptor.digest } };
  const blob = Buffer.from(data(await client.GET("/content/{digest}", { params, parseAs: "arrayBuffer" })));
  assert.equal("sha256:" + createHash("sha256").update(blob).digest("hex"), descriptor.digest);
  assert.equal(blob.length, descriptor.size);
  assert.deepEqual(JSON.parse(blob.toString()), Statement);
  const head = await client.HEAD("/content/{digest}", { params });
  assert.equal(head.response.headers.get("Docker-Content-Digest"), descriptor.digest);
}

// Names, and an end.
const copy = { name: "sdk.example/typescript:1" };
const tag = await client.POST("/images/{name}/tag", { params: { path, query: { repo: "sdk.example/typescript", tag: "1" } } });
assert.equal(tag.response.status, 201);
assert.equal(data(await client.GET("/images/{name}/json", { params: { path: copy } })).Id, image.Id);
const removed = data(await client.DELETE("/images/{name}", { params: { path: copy } }));
assert.deepEqual(removed, [{ Untagged: copy.name }]);

// A load, a push and a pull, with the events that tell of them as they happen.
const registry = process.env.REGISTRY ?? "";
const credentials = (password: string) => {
  const auth: Schemas["AuthConfig"] = { username: process.env.USERNAME ?? "", password, serveraddress: registry };
  return { "X-Registry-Auth": Buffer.from(JSON.stringify(auth)).toString("base64url") };
};
const header = credentials(process.env.PASSWORD ?? "");
const happening = { query: { filters: JSON.stringify({ event: ["load", "push", "pull"] }) } };
const events = lines<Schemas["EventMessage"]>(await client.GET("/events", { params: happening, parseAs: "stream" }));
/** Waits for an event; the test's limit of time is the limit. */
const happens = async (action: string) => {
  for (let event; event?.Action !== action; ) event = (await events.next()).value as Schemas["EventMessage"] | undefined;
};
const archive = await readFile(process.env.ARCHIVE ?? "");
const load = await client.POST("/images/load", {
  // Bytes are text in the types of this generator.
  body: archive as unknown as string,
  bodySerializer: (body) => body,
  headers: { "Content-Type": "application/x-tar" },
  parseAs: "stream",
});
const loaded = await all(lines<Schemas["LoadMessage"]>(load));
assert.ok(loaded.some((line) => line.stream === `Loaded image: ${name}\n`), JSON.stringify(loaded));
await happens("load");
const there = `${registry}/generated/typescript`;
await client.POST("/images/{name}/tag", { params: { path, query: { repo: there, tag: "1" } } });
const toPush = { path: { name: there }, query: { tag: "1" }, header };
const pushed = await all(lines<Schemas["TransferMessage"]>(await client.POST("/images/{name}/push", { params: toPush, parseAs: "stream" })));
assert.ok(pushed.at(-1)?.status?.startsWith(`1: digest: ${image.Id}`), JSON.stringify(pushed));
await happens("push");
await client.DELETE("/images/{name}", { params: { path: { name: `${there}:1` } } });
const toPull = { fromImage: there, tag: "1" };
const pull = await client.POST("/images/create", { params: { query: toPull, header }, parseAs: "stream" });
const pulled = await all(lines<Schemas["TransferMessage"]>(pull));
assert.equal(pulled.at(-1)?.status, `Status: Downloaded newer image for ${there}:1`);
await happens("pull");
const denied = await client.POST("/images/create", { params: { query: toPull, header: credentials("wrong") }, parseAs: "stream" });
assert.deepEqual([denied.response.status, typeof denied.error?.message], [404, "string"]);
await events.return(undefined);

// What fails says why, in a form that the compiler knows.
const absent = await client.GET("/images/{name}/json", { params: { path: copy } });
assert.equal(absent.response.status, 404);
const failure: Schemas["ErrorResponse"] | undefined = absent.error;
assert.equal(failure?.message, `No such image: ${copy.name}`);
const malformed = await client.GET("/images/json", { params: { query: { filters: "{" } } });
assert.deepEqual([malformed.response.status, malformed.error?.message], [400, "invalid filter"]);

// @ts-expect-error: the document has no such operation.
await client.GET("/no/such/path").catch(() => undefined);
// @ts-expect-error: it has no such parameter.
await client.GET("/images/json", { params: { query: { colour: "red" } } });

await dispatcher.close();
console.log("done");
