// A Bluesky network on loopback (identity directory, personal data server, AppView), as its makers test
// with it. Prints one line of JSON when it is up; ends when standard input closes.
import { TestNetwork } from "@atproto/dev-env";

const network = await TestNetwork.create({
  dbPostgresSchema: "groundswell",
  pds: { hostname: "localhost", inviteRequired: false },
});
const accounts = {};
for (const name of process.argv.slice(2)) {
  const made = await network.pds.getAgent().api.com.atproto.server.createAccount({
    email: `${name}@example.test`, handle: `${name}.test`, password: `${name}-password`,
  });
  accounts[name] = made.data.did;
}
await network.processAll();
console.log(JSON.stringify({ pds: network.pds.url, appview: network.bsky.url, accounts }));
process.stdin.on("data", async (line) => {
  // any line: index what was written, then say so
  await network.processAll();
  console.log(JSON.stringify({ indexed: true }));
});
process.stdin.on("end", async () => {
  await network.close();
  process.exit(0);
});
