// The real roslib on Node: runs one case against a bridge, and prints what it has seen as one line of JSON.
//
// node roslib_cases.mjs CASE HOST:PORT

import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const folder = path.join(process.env.KEYWAY_PEER_ROSLIB, "node_modules/roslib");
const manifest = createRequire(import.meta.url)(path.join(folder, "package.json"));
const library = await import(pathToFileURL(path.join(folder, manifest.module)));
const { Param, Ros, Service, Topic } = library;

const errors = [];
const ros = await new Promise((resolve, reject) => {
  const ros = new Ros({ url: `ws://${process.argv[3]}` });
  ros.on("connection", () => resolve(ros));
  ros.on("error", (error) => {
    errors.push(String(error?.message ?? error));
    reject(error);
  });
});

const asked = (ask) => new Promise((resolve, reject) => ask(resolve, reject));
const call = (name, type, args) =>
  asked((resolve, reject) => new Service({ ros, name, serviceType: type }).callService(args, resolve, reject));

// The first messages of a topic, of those that are wanted.
const messages = (name, type, count, options = {}, isWanted = () => true) =>
  asked((resolve) => {
    const heard = [];
    const topic = new Topic({ ros, name, messageType: type, ...options });
    topic.subscribe((message) => {
      if (!isWanted(message)) return;
      heard.push(message);
      if (heard.length === count) {
        topic.unsubscribe();
        resolve(heard);
      }
    });
  });

const cases = {
  async everything() {
    const param = (name) => asked((resolve, reject) => new Param({ ros, name }).get(resolve, reject));
    const add = await call("/qi/RosProbe/add", "qi_bridge_msgs/RosProbeAdd", { a: 2, b: 3 });
    const boom = await call("/qi/RosProbe/boom", "qi_bridge_msgs/RosProbeBoom", { why: "it broke" }).catch((e) => e);
    const raw = await asked((resolve, reject) => ros.getTopicsAndRawTypes(resolve, reject));
    const ticks = await messages("/qi/RosProbe/tick", "std_msgs/Int32", 3);
    const [gain] = await messages("/qi/RosProbe/gain", "std_msgs/Float64", 1);
    return {
      add,
      boom,
      ticks: ticks.map((tick) => tick.data),
      gain: gain.data,
      topics: (await asked((resolve, reject) => ros.getTopics(resolve, reject))).topics,
      services: await asked((resolve, reject) => ros.getServices(resolve, reject)),
      nodes: await asked((resolve, reject) => ros.getNodes(resolve, reject)),
      raw: raw.typedefs_full_text[raw.topics.indexOf("/qi/RosProbe/gain")],
      param: await param("/qi/services"),
      unset: await param("/qi/unset"),
      errors,
    };
  },

  async cbor() {
    const type = "qi_bridge_msgs/RosProbeSeriesEvent";
    const [typed] = await messages("/qi/RosProbe/series", type, 1, { compression: "cbor" });
    // A message of before may still be on its way.
    const isRaw = (message) => message.bytes !== undefined;
    const [raw] = await messages("/qi/RosProbe/series", type, 1, { compression: "cbor-raw" }, isRaw);
    const numbers = Object.entries(typed).find(([name]) => name !== "header")[1];
    return {
      typed: numbers.constructor.name,
      numbers: Array.from(numbers),
      raw: Buffer.from(raw.bytes).toString("hex"),
    };
  },

  async throttled() {
    const heard = [];
    const topic = new Topic({ ros, name: "/qi/RosProbe/tick", messageType: "std_msgs/Int32", throttle_rate: 200 });
    await asked((resolve) => {
      topic.subscribe((message) => {
        heard.push(message.data);
        if (message.data === 299) {
          resolve();
        }
      });
    });
    return heard;
  },
};

console.log(JSON.stringify(await cases[process.argv[2]]()));
process.exit(0);
