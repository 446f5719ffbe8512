// What programs do with dockerode, at the newest version of the API and at older ones.
// Arguments: socket, archive, the name in it, root file system, registry, user, password, index.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const Docker = require("dockerode");

const [socketPath, archive, name, rootfs, registry, username, password, index] = process.argv.slice(2);
const authconfig = { username, password, serveraddress: registry };
const NEWEST = 55;

function ok(condition, seen) {
  assert.ok(condition, JSON.stringify(seen));
}

async function body(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

// The objects of a stream of progress; an error among them rejects.
function lines(docker, stream) {
  return new Promise((resolve, reject) =>
    docker.modem.followProgress(stream, (error, all) => {
      const failed = error ?? all.find((line) => line.error);
      return failed ? reject(failed) : resolve(all);
    }),
  );
}

async function refused(promise, status, text) {
  const error = await promise.then(
    () => assert.fail(`this succeeds: ${text}`),
    (error) => error,
  );
  assert.strictEqual(error.statusCode, status, error);
  ok(error.message.includes(text), error.message);
}

async function run(docker, minor) {
  const own = `v${minor}`;
  assert.strictEqual((await docker.ping()).toString(), "OK");
  const version = await docker.version();
  assert.strictEqual(version.ApiVersion, process.env.NEWEST_API);
  const info = await docker.info();
  ok(info.OSType === "linux" && info.ServerVersion === version.Version, info);
  assert.deepStrictEqual(await docker.listContainers({ all: true }), []);
  assert.deepStrictEqual((await docker.listVolumes()).Volumes ?? [], []);
  assert.deepStrictEqual(await docker.listNetworks(), []);

  const since = Date.now() / 1000;
  const loaded = await lines(docker, await docker.loadImage(archive, { quiet: true }));
  ok(
    loaded.some((line) => line.stream === `Loaded image: ${name}\n`),
    loaded,
  );
  const image = docker.getImage(name);
  const detail = await image.inspect();
  ok(detail.RepoTags.includes(name) && detail.Size > 0 && detail.Os === "linux", detail);
  assert.strictEqual("VirtualSize" in detail, minor < 44);
  assert.strictEqual("Descriptor" in detail, minor >= 48);
  assert.strictEqual((await docker.getImage(detail.Id).inspect()).Id, detail.Id);
  const history = await image.history();
  ok(history.length > 0 && history.some((step) => step.CreatedBy.includes("COPY")), history);

  const row = (await docker.listImages()).find((row) => row.Id === detail.Id);
  ok(row.RepoTags.includes(name) && row.Containers <= 0, row);
  assert.strictEqual("VirtualSize" in row, minor < 44);
  const filters = { label: ["no such label"] };
  assert.deepStrictEqual(await docker.listImages({ filters: JSON.stringify(filters) }), []);
  assert.deepStrictEqual(await docker.listImages({ filters }), []);
  if (minor >= 47) {
    const [whole] = await docker.listImages({ manifests: true, filters: { reference: [name] } });
    assert.deepStrictEqual([...new Set(whole.Manifests.map((manifest) => manifest.Kind))].sort(), ["attestation", "image"]);
  }

  await image.tag({ repo: `registry.test/${own}`, tag: "1" });
  const saved = await body(await docker.getImage(`registry.test/${own}:1`).get());
  const removed = await docker.getImage(`registry.test/${own}:1`).remove();
  assert.deepStrictEqual(removed, [{ Untagged: `registry.test/${own}:1` }]);
  await refused(docker.getImage(`registry.test/${own}:1`).inspect(), 404, "No such image");
  const again = await lines(docker, await docker.loadImage(fs.ReadStream.from([saved])));
  assert.strictEqual(again[0].stream, `Loaded image: registry.test/${own}:1\n`);
  assert.strictEqual((await docker.getImage(`registry.test/${own}:1`).inspect()).Id, detail.Id);
  const both = await body(await docker.getImages({ names: [name, `registry.test/${own}:1`] }));
  ok(both.includes("oci-layout"));

  // Pushed, taken away, and pulled, by tag and by digest.
  const there = `${registry}/dockerode/${own}`;
  await image.tag({ repo: there, tag: "1" });
  await assert.rejects(docker.getImage("nope:1").push({ authconfig }).then((stream) => lines(docker, stream)));
  const pushed = await lines(docker, await docker.getImage(`${there}:1`).push({ authconfig }));
  ok(
    pushed.some((line) => line.status?.startsWith(`1: digest: ${detail.Id}`)),
    pushed,
  );
  await docker.getImage(`${there}:1`).remove();
  await refused(docker.pull(`${there}:1`, { authconfig: { ...authconfig, password: "wrong" } }), 404, "");
  const pulled = await lines(docker, await docker.pull(`${there}:1`, { authconfig }));
  ok(pulled.at(-1).status.startsWith("Status: "), pulled);
  assert.strictEqual((await docker.getImage(`${there}:1`).inspect()).Id, detail.Id);
  await lines(docker, await docker.createImage(authconfig, { fromImage: there, tag: detail.Id }));
  assert.strictEqual((await docker.checkAuth(authconfig)).Status, "Login Succeeded");
  await refused(docker.checkAuth({ ...authconfig, password: "wrong" }), 401, "");
  if (minor >= 30) {
    assert.strictEqual((await docker.getImage(`${there}:1`).distribution({ authconfig })).Descriptor.digest, detail.Id);
  }

  const changes = ['CMD ["/bin/true"]', "ENV A=b"];
  const imported = await lines(docker, await docker.importImage(rootfs, { repo: "imported", tag: own, changes }));
  const made = await docker.getImage(`imported:${own}`).inspect();
  assert.strictEqual(imported.at(-1).status, made.Id);
  assert.deepStrictEqual([made.Config.Cmd, made.Config.Env], [["/bin/true"], ["A=b"]]);
  const hits = await docker.searchImages({ term: `${index}/app`, filters: { "is-official": ["true"] } });
  assert.deepStrictEqual(
    hits.map((hit) => [hit.name, hit.star_count]),
    [["app", 100]],
  );

  if (minor >= 25) {
    const usage = await docker.df();
    ok(usage.Images.some((image) => image.Id === detail.Id), usage);
    await docker.getImage(name).tag({ repo: "registry.test/unused", tag: own });
    const pruned = await docker.pruneImages({ filters: { dangling: ["false"], until: ["1999-01-01T00:00:00Z"] } });
    assert.strictEqual(pruned.SpaceReclaimed, 0);
    const all = await docker.pruneImages({ filters: JSON.stringify({ dangling: { false: true } }) });
    ok(all.SpaceReclaimed > 1000000 && all.ImagesDeleted.some((line) => line.Deleted === detail.Id), all);
  } else {
    await refused(docker.df(), 400, "requires minimum API version 1.25");
    await refused(docker.pruneImages(), 400, "requires minimum API version 1.25");
    for (const row of await docker.listImages()) await docker.getImage(row.Id).remove({ force: true });
  }
  assert.deepStrictEqual(await docker.listImages(), []);

  const ended = await docker.getEvents({ since, until: Date.now() / 1000, filters: { type: ["image"] } });
  const events = (await body(ended)).toString().trim().split("\n").map((line) => JSON.parse(line));
  const actions = new Set(events.map((event) => event.Action));
  for (const action of ["load", "tag", "untag", "delete", "push", "pull", "save"]) {
    ok(actions.has(action), [action, ...actions]);
  }
  assert.strictEqual("status" in events[0], minor < 52);
}

// Events as they happen, until the client hangs up.
async function follows(docker) {
  const stream = await docker.getEvents({ filters: { event: ["tag"] } });
  const first = new Promise((resolve) => stream.once("data", (piece) => resolve(JSON.parse(piece))));
  await lines(docker, await docker.loadImage(archive));
  await docker.getImage(name).tag({ repo: "registry.test/followed", tag: "1" });
  const event = await first;
  assert.strictEqual(event.Type, "image");
  stream.destroy();
}

async function main() {
  await run(new Docker({ socketPath }), NEWEST);
  for (const minor of [24, 41, 44, NEWEST]) await run(new Docker({ socketPath, version: `v1.${minor}` }), minor);
  await follows(new Docker({ socketPath }));
  await refused(new Docker({ socketPath, version: "v1.99" }).version(), 400, "client version 1.99 is too new");
  await refused(new Docker({ socketPath, version: "v1.11" }).version(), 400, "client version 1.11 is too old");
  console.log("done");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
