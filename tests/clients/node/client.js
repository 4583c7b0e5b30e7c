// What a user of Google's Node client does, against a Reprise server: gRPC without TLS, the client as it comes.
// node client.js PORT FOLDER STEPS_JSON WAITING_JSON; every step asserts its outcome. Ends with the line `all good`.

'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const {v1, v1beta1, helpers} = require('@google-cloud/aiplatform');
const {grpc} = require('google-gax');

const [port, folder, stepsFile, waitingFile] = process.argv.slice(2);
const parent = 'projects/node-project/locations/europe-west4';
const options = {apiEndpoint: '127.0.0.1', port: Number(port), sslCreds: grpc.credentials.createInsecure()};
const client = new v1.PipelineServiceClient(options);
const beta = new v1beta1.PipelineServiceClient(options);

const struct = (object) => helpers.toValue(object).structValue;
const values = (object) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, helpers.toValue(v)]));
const spec = (file) => struct(JSON.parse(fs.readFileSync(file, 'utf8')));
const ran = (ledger) => (fs.existsSync(ledger) ? fs.readFileSync(ledger, 'utf8').split('\n').slice(0, -1) : []);
const states = (job) => Object.fromEntries(job.jobDetail.taskDetails.map((t) => [t.taskUniqueName, t.state]));
const ENDED = ['PIPELINE_STATE_SUCCEEDED', 'PIPELINE_STATE_FAILED', 'PIPELINE_STATE_CANCELLED'];

async function until(isSo, text) {
  for (let i = 0; i < 600; i++) {
    const answer = await isSo();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not within a minute: ${text}`);
}

const ended = (name) =>
  until(async () => {
    const [job] = await beta.getPipelineJob({name});
    return ENDED.includes(job.state) && job;
  }, `${name} has ended`);

async function main() {
  const ledger = path.join(folder, 'steps.ledger');
  const [created] = await client.createPipelineJob({
    parent,
    pipelineJobId: 'node-failed',
    pipelineJob: {
      displayName: 'from node',
      labels: {team: 'node'},
      pipelineSpec: spec(stepsFile),
      runtimeConfig: {gcsOutputDirectory: path.join(folder, 'root'), parameterValues: values({ledger})},
    },
  });
  assert.equal(created.name, `${parent}/pipelineJobs/node-failed`);
  const failed = await ended(created.name);
  assert.equal(failed.state, 'PIPELINE_STATE_FAILED');
  assert.deepEqual(states(failed), {
    prepare: 'SUCCEEDED',
    multiply: 'SUCCEEDED',
    check: 'FAILED',
    publish: 'NOT_TRIGGERED',
  });

  const [rerun] = await beta.createPipelineJob({
    parent,
    pipelineJobId: 'node-rerun',
    pipelineJob: {
      originalPipelineJobId: failed.labels['vertex-ai-pipelines-run-billing-id'],
      pipelineTaskRerunConfigs: failed.jobDetail.taskDetails.map((task) => ({
        taskId: task.taskId,
        taskName: task.taskUniqueName,
        skipTask: task.state === 'SUCCEEDED',
      })),
      pipelineSpec: spec(stepsFile),
      runtimeConfig: {parameterValues: values({limit: 20})},
    },
  });
  const corrected = await ended(rerun.name);
  assert.equal(corrected.state, 'PIPELINE_STATE_SUCCEEDED');
  assert.deepEqual(states(corrected), {
    prepare: 'SKIPPED',
    multiply: 'SKIPPED',
    check: 'SUCCEEDED',
    publish: 'SUCCEEDED',
  });
  assert.deepEqual(ran(ledger), ['prepare', 'multiply', 'check', 'check', 'publish']);
  assert.equal(String(corrected.originalPipelineJobId), failed.labels['vertex-ai-pipelines-run-billing-id']);

  const waiting = path.join(folder, 'waiting.ledger');
  const names = [];
  for (const id of ['node-long-1', 'node-long-2', 'node-long-3']) {
    const [job] = await client.createPipelineJob({
      parent,
      pipelineJobId: id,
      pipelineJob: {
        pipelineSpec: spec(waitingFile),
        runtimeConfig: {parameterValues: values({ledger: waiting})},
      },
    });
    names.push(job.name);
  }
  await until(() => ran(waiting).includes('wait'), 'a task waits');
  await client.cancelPipelineJob({name: names[0]});
  assert.equal((await ended(names[0])).state, 'PIPELINE_STATE_CANCELLED');
  const [batch] = await client.batchCancelPipelineJobs({parent, names: names.slice(1)});
  const [response] = await batch.promise();
  assert.deepEqual(response.pipelineJobs.map((job) => job.name).sort(), names.slice(1));

  const [listed] = await client.listPipelineJobs({parent});
  assert.equal(listed.length, 5);
  const [filtered] = await client.listPipelineJobs({parent, filter: 'labels.team="node"'});
  assert.deepEqual(filtered.map((job) => job.name), [created.name]);

  const [deletion] = await client.deletePipelineJob({name: created.name});
  await deletion.promise();
  const [several] = await beta.batchDeletePipelineJobs({parent, names});
  await several.promise();
  await assert.rejects(client.getPipelineJob({name: created.name}), {code: grpc.status.NOT_FOUND});
  await assert.rejects(client.cancelPipelineJob({name: names[0]}), {code: grpc.status.NOT_FOUND});
  console.log('all good');
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  }
);
