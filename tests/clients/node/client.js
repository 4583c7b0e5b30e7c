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

  console.log('ok submit');

  // What Vertex's clients send: a config for each task of the original.
  const rerun = async (id, parameters, asked) => {
    const [made] = await beta.createPipelineJob({
      parent,
      pipelineJobId: id,
      pipelineJob: {
        originalPipelineJobId: failed.labels['vertex-ai-pipelines-run-billing-id'],
        pipelineTaskRerunConfigs: failed.jobDetail.taskDetails.map((task) => ({
          ...(asked[task.taskUniqueName] || {skipTask: task.state === 'SUCCEEDED'}),
          taskId: task.taskId,
          taskName: task.taskUniqueName,
        })),
        pipelineSpec: spec(stepsFile),
        runtimeConfig: {parameterValues: values(parameters)},
      },
    });
    return ended(made.name);
  };
  const corrected = await rerun('node-rerun', {limit: 20}, {});
  assert.equal(corrected.state, 'PIPELINE_STATE_SUCCEEDED');
  assert.deepEqual(states(corrected), {
    prepare: 'SKIPPED',
    multiply: 'SKIPPED',
    check: 'SUCCEEDED',
    publish: 'SUCCEEDED',
  });
  assert.deepEqual(ran(ledger), ['prepare', 'multiply', 'check', 'check', 'publish']);
  assert.equal(String(corrected.originalPipelineJobId), failed.labels['vertex-ai-pipelines-run-billing-id']);
  console.log('ok rerun with parameters');

  assert.deepEqual(states(await rerun('node-skipped', {}, {check: {skipTask: true}})), {
    prepare: 'SKIPPED',
    multiply: 'SKIPPED',
    check: 'SKIPPED',
    publish: 'SUCCEEDED',
  });
  console.log('ok rerun with skip');
  const withInput = (name) => ({multiply: {inputs: {parameterValues: values({[name]: 1})}}});
  const other = await rerun('node-inputs', {}, withInput('factor'));
  assert.deepEqual(states(other), {
    prepare: 'SKIPPED',
    multiply: 'SUCCEEDED',
    check: 'SUCCEEDED',
    publish: 'SUCCEEDED',
  });
  console.log('ok rerun with inputs');

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
  console.log('ok cancel');
  const [batch] = await client.batchCancelPipelineJobs({parent, names: names.slice(1)});
  const [response] = await batch.promise();
  assert.deepEqual(response.pipelineJobs.map((job) => job.name).sort(), names.slice(1));
  console.log('ok batch cancel');

  const [listed] = await client.listPipelineJobs({parent});
  assert.equal(listed.length, 7);
  const [filtered] = await client.listPipelineJobs({parent, filter: 'labels.team="node"'});
  assert.deepEqual(filtered.map((job) => job.name), [created.name]);
  console.log('ok list');

  const none = `${parent}/pipelineJobs/none`;
  await assert.rejects(client.getPipelineJob({name: none}), {code: grpc.status.NOT_FOUND});
  await assert.rejects(client.cancelPipelineJob({name: none}), {code: grpc.status.NOT_FOUND});
  const again = {pipelineSpec: spec(waitingFile), runtimeConfig: {parameterValues: values({ledger: waiting})}};
  await assert.rejects(client.createPipelineJob({parent, pipelineJobId: 'node-failed', pipelineJob: again}), {
    code: grpc.status.ALREADY_EXISTS,
  });
  await assert.rejects(client.createPipelineJob({parent, pipelineJob: {}}), {code: grpc.status.INVALID_ARGUMENT});
  await assert.rejects(rerun('node-refused', {}, withInput('undeclared')), {code: grpc.status.INVALID_ARGUMENT});
  console.log('ok errors');

  const [deletion] = await client.deletePipelineJob({name: created.name});
  await deletion.promise();
  await assert.rejects(client.getPipelineJob({name: created.name}), {code: grpc.status.NOT_FOUND});
  console.log('ok delete');
  const [several] = await beta.batchDeletePipelineJobs({parent, names});
  await several.promise();
  await assert.rejects(client.getPipelineJob({name: names[0]}), {code: grpc.status.NOT_FOUND});
  console.log('ok batch delete');
  console.log('all good');
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  }
);
