// What a user of Google's Node client does, against a Reprise server: gRPC without TLS, the client as it comes.
// node client.js PORT FOLDER STEPS_JSON WAITING_JSON v1|v1beta1. Every step asserts its outcome and then prints
// `ok SCENARIO`; the last line is `all good`. What really ran is read from the ledger that the tasks write. The server
// knows the project by its number too.

'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const aiplatform = require('@google-cloud/aiplatform');
const {grpc} = require('google-gax');

const [port, folder, stepsFile, waitingFile, version] = process.argv.slice(2);
const {helpers} = aiplatform;
const isBeta = version === 'v1beta1';
const PROJECT = 'gapic-project';
const NUMBER = '123456';
const ID_LABEL = 'vertex-ai-pipelines-run-billing-id';
const parent = `projects/${PROJECT}/locations/node-${version}-${Date.now()}`;
const client = new aiplatform[version].PipelineServiceClient({
  apiEndpoint: '127.0.0.1',
  port: Number(port),
  sslCreds: grpc.credentials.createInsecure(),
});

const struct = (object) => helpers.toValue(object).structValue;
const values = (object) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, helpers.toValue(v)]));
const spec = (file) => struct(JSON.parse(fs.readFileSync(file, 'utf8')));
const ledgerOf = (name) => path.join(folder, `${name}.ledger`);
const states = (job) => Object.fromEntries(job.jobDetail.taskDetails.map((t) => [t.taskUniqueName, t.state]));
const detail = (job, name) => job.jobDetail.taskDetails.find((task) => task.taskUniqueName === name);
const product = (job) => detail(job, 'multiply').execution.metadata.fields['output:product'].numberValue;
const names = (jobs) => jobs.map((job) => job.name);
const steps = spec(stepsFile);
const waiting = spec(waitingFile);

function ran(name) {
  const ledger = ledgerOf(name);
  return fs.existsSync(ledger) ? fs.readFileSync(ledger, 'utf8').split('\n').slice(0, -1) : [];
}

async function until(isSo, text) {
  for (let i = 0; i < 1800; i++) {
    const answer = await isSo();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not within three minutes: ${text}`);
}

const ended = (name) =>
  until(async () => {
    const [job] = await client.getPipelineJob({name});
    return job.endTime && job;
  }, `${name} has ended`);

async function create(pipelineJob, pipelineJobId) {
  const [job] = await client.createPipelineJob({parent, pipelineJobId, pipelineJob});
  return job;
}

async function operated(call) {
  const [operation] = await call;
  const [response, metadata] = await operation.promise();
  return {response, metadata, name: operation.name};
}

// A refusal has its code, and a reason of Reprise's.
async function refused(promise, code) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, code, error.message);
    assert.equal(error.domain, 'reprise', error.message);
    assert.ok(error.reason, error.message);
    return true;
  });
}

const waitingJob = (ledger) => ({
  pipelineSpec: waiting,
  runtimeConfig: {parameterValues: values({ledger: ledgerOf(ledger)})},
});
const withInput = (name) => ({multiply: {inputs: {parameterValues: values({[name]: 1})}}});

async function submit() {
  const created = await create(
    {
      displayName: 'from node',
      labels: {team: 'node'},
      pipelineSpec: steps,
      runtimeConfig: {
        gcsOutputDirectory: path.join(folder, 'root'),
        parameterValues: values({ledger: ledgerOf('steps')}),
      },
    },
    'failed'
  );
  assert.equal(created.name, `${parent}/pipelineJobs/failed`);
  assert.equal(created.state, 'PIPELINE_STATE_PENDING');
  return ended(created.name);
}

function get(failed) {
  assert.equal(failed.state, 'PIPELINE_STATE_FAILED');
  assert.ok(failed.error.message);
  assert.deepEqual(states(failed), {
    prepare: 'SUCCEEDED',
    multiply: 'SUCCEEDED',
    check: 'FAILED',
    publish: 'NOT_TRIGGERED',
  });
  assert.equal(product(failed), 14);
  assert.equal(detail(failed, 'prepare').outputs.data.artifacts[0].schemaTitle, 'system.Dataset');
}

// What Vertex's clients send: a config for each task of the original.
async function rerun(original, id, parameters, asked) {
  const made = await create(
    {
      originalPipelineJobId: original.labels[ID_LABEL],
      pipelineTaskRerunConfigs: original.jobDetail.taskDetails.map((task) => ({
        ...(asked[task.taskUniqueName] || {skipTask: task.state === 'SUCCEEDED'}),
        taskId: task.taskId,
        taskName: task.taskUniqueName,
      })),
      pipelineSpec: steps,
      runtimeConfig: {parameterValues: values(parameters)},
    },
    id
  );
  return ended(made.name);
}

async function rerunWithParameters(failed) {
  const job = await rerun(failed, 'corrected', {limit: 20}, {});
  assert.equal(job.state, 'PIPELINE_STATE_SUCCEEDED');
  assert.deepEqual(states(job), {
    prepare: 'SKIPPED',
    multiply: 'SKIPPED',
    check: 'SUCCEEDED',
    publish: 'SUCCEEDED',
  });
  assert.deepEqual(ran('steps'), ['prepare', 'multiply', 'check', 'check', 'publish']);
  assert.equal(String(job.originalPipelineJobId), failed.labels[ID_LABEL]);
}

async function rerunWithSkip(failed) {
  assert.deepEqual(states(await rerun(failed, 'skipped', {}, {check: {skipTask: true}})), {
    prepare: 'SKIPPED',
    multiply: 'SKIPPED',
    check: 'SKIPPED',
    publish: 'SUCCEEDED',
  });
}

async function rerunWithInputs(failed) {
  const job = await rerun(failed, 'inputs', {}, withInput('factor'));
  assert.deepEqual(states(job), {
    prepare: 'SKIPPED',
    multiply: 'SUCCEEDED',
    check: 'SUCCEEDED',
    publish: 'SUCCEEDED',
  });
  assert.equal(product(job), 7);
}

async function rerunRefused(failed) {
  const {INVALID_ARGUMENT, NOT_FOUND} = grpc.status;
  await refused(rerun(failed, 'refused', {}, withInput('undeclared')), INVALID_ARGUMENT);
  await refused(create({originalPipelineJobId: 1, pipelineSpec: steps}), NOT_FOUND);
  await refused(create({pipelineTaskRerunConfigs: [{taskId: 1}], pipelineSpec: steps}), INVALID_ARGUMENT);
}

async function cancel() {
  const made = [];
  for (const id of ['long-1', 'long-2', 'long-3', 'long-4']) {
    made.push((await create(waitingJob(id), id)).name);
  }
  await until(() => ran('long-1').includes('wait'), 'a task waits');
  await client.cancelPipelineJob({name: made[0]});
  const job = await ended(made[0]);
  assert.equal(job.state, 'PIPELINE_STATE_CANCELLED');
  assert.equal(job.error.code, grpc.status.CANCELLED);
  await client.cancelPipelineJob({name: made[0]}); // again: nothing changes
  return made;
}

async function batchCancel(some) {
  const {response, metadata, name} = await operated(client.batchCancelPipelineJobs({parent, names: some}));
  assert.deepEqual(names(response.pipelineJobs).sort(), some);
  assert.ok(metadata.genericMetadata.createTime);
  const [operation] = await client.getOperation({name});
  assert.equal(operation.name, name);
  assert.ok(operation.done);
}

// Google's sample: the parent by the project's id, the names by its number.
async function batchCancelMixed(name) {
  const mixed = name.replace(PROJECT, NUMBER);
  const {response} = await operated(client.batchCancelPipelineJobs({parent, names: [mixed]}));
  assert.deepEqual(names(response.pipelineJobs), [name]);
  const [job] = await client.getPipelineJob({name: mixed});
  assert.equal(job.name, name);
}

async function listPages() {
  const [every] = await client.listPipelineJobs({parent});
  assert.equal(every.length, isBeta ? 8 : 5);
  const paged = [];
  let tokens = [];
  let request = {parent, pageSize: 2, orderBy: 'create_time'};
  while (request) {
    const [page, next] = await client.listPipelineJobs(request, {autoPaginate: false});
    paged.push(...names(page));
    tokens.push(next && next.pageToken);
    request = next;
  }
  assert.ok(tokens.length > 2);
  assert.deepEqual(paged, names(every).reverse());
  for (const orderBy of ['display_name', 'update_time desc', 'end_time desc']) {
    const [found] = await client.listPipelineJobs({parent, pageSize: 3, orderBy});
    assert.deepEqual(names(found).sort(), names(every).sort());
  }
  const other = {parent, pageToken: tokens[0], filter: 'state=FAILED'};
  await refused(client.listPipelineJobs(other, {autoPaginate: false}), grpc.status.INVALID_ARGUMENT);
}

async function listFiltered(failed) {
  const cancelled = [4, 3, 2, 1].map((number) => `${parent}/pipelineJobs/long-${number}`);
  for (const [filter, expected] of [
    ['state="PIPELINE_STATE_FAILED"', [failed]],
    ['labels.team="node"', [failed]],
    ['labels.team:*', [failed]],
    ['display_name="from n*" AND NOT state="PIPELINE_STATE_CANCELLED"', [failed]],
    ['state="PIPELINE_STATE_CANCELLED" AND (labels.team="x" OR NOT labels.team:*)', cancelled],
    ['create_time>"2200-01-01T00:00:00Z"', []],
    ['pipeline_job_user_id="failed" AND end_time>"2000-01-01T00:00:00Z"', [failed]],
    ['pipeline_name:"client-steps*" AND labels.team=node', [failed]],
  ]) {
    const [found] = await client.listPipelineJobs({parent, filter});
    assert.deepEqual(names(found), expected, filter);
  }
  await refused(client.listPipelineJobs({parent, filter: 'no_such_field=1'}), grpc.status.INVALID_ARGUMENT);
}

async function listMasked(failed) {
  const masked = async (...paths) => {
    const [[job]] = await client.listPipelineJobs({parent, filter: 'state=FAILED', readMask: {paths}});
    return job;
  };
  const plain = await masked('name', 'state');
  assert.equal(plain.name, failed);
  assert.equal(plain.state, 'PIPELINE_STATE_FAILED');
  assert.equal(plain.displayName, '');
  assert.equal(plain.jobDetail, null);
  const inside = await masked('job_detail.task_details.task_name');
  const tasks = inside.jobDetail.taskDetails.map((task) => task.taskName);
  assert.deepEqual(tasks.sort(), ['check', 'multiply', 'prepare', 'publish']);
  assert.equal(inside.name, '');
}

async function errors(failed) {
  const {NOT_FOUND, INVALID_ARGUMENT, ALREADY_EXISTS, FAILED_PRECONDITION} = grpc.status;
  const none = `${parent}/pipelineJobs/none`;
  const elsewhere = none.replace(PROJECT, 'other');
  await refused(client.getPipelineJob({name: none}), NOT_FOUND);
  await refused(client.cancelPipelineJob({name: none}), NOT_FOUND);
  await refused(client.deletePipelineJob({name: none}), NOT_FOUND);
  await refused(client.batchCancelPipelineJobs({parent, names: [failed, none]}), NOT_FOUND);
  await refused(client.batchDeletePipelineJobs({parent, names: [failed, none]}), NOT_FOUND);
  await refused(client.getOperation({name: `${parent}/operations/1`}), NOT_FOUND);
  await refused(client.batchCancelPipelineJobs({parent, names: []}), INVALID_ARGUMENT);
  await refused(client.batchCancelPipelineJobs({parent, names: [elsewhere]}), INVALID_ARGUMENT);
  await refused(create(waitingJob('x'), 'failed'), ALREADY_EXISTS);
  await refused(create(waitingJob('x'), 'Not An Id'), INVALID_ARGUMENT);
  await refused(create({}), INVALID_ARGUMENT);
  await refused(create({pipelineSpec: struct({a: 1})}), INVALID_ARGUMENT);
  await refused(create({pipelineSpec: waiting}), INVALID_ARGUMENT);
  const running = (await create(waitingJob('running'), 'running')).name;
  await refused(client.deletePipelineJob({name: running}), FAILED_PRECONDITION);
  await client.cancelPipelineJob({name: running});
  await ended(running);
}

async function remove(name) {
  await operated(client.deletePipelineJob({name}));
  await refused(client.getPipelineJob({name}), grpc.status.NOT_FOUND);
}

async function batchDelete(some) {
  const {response} = await operated(client.batchDeletePipelineJobs({parent, names: some}));
  assert.deepEqual(names(response.pipelineJobs).sort(), some);
  await refused(client.getPipelineJob({name: some[0]}), grpc.status.NOT_FOUND);
}

async function step(name, work) {
  const found = await work();
  console.log(`ok ${name}`);
  return found;
}

async function main() {
  const failed = await step('submit', submit);
  await step('get', () => get(failed));
  if (isBeta) {
    // v1 knows no reruns.
    await step('rerun with parameters', () => rerunWithParameters(failed));
    await step('rerun with skip', () => rerunWithSkip(failed));
    await step('rerun with inputs', () => rerunWithInputs(failed));
    await step('rerun refused', () => rerunRefused(failed));
  }
  const made = await step('cancel', cancel);
  await step('batch cancel', () => batchCancel(made.slice(1, 3)));
  await step('batch cancel by id and number', () => batchCancelMixed(made[3]));
  await step('list: pages and order', listPages);
  await step('list: filter', () => listFiltered(failed.name));
  await step('list: read mask', () => listMasked(failed.name));
  await step('errors', () => errors(failed.name));
  await step('delete', () => remove(failed.name));
  await step('batch delete', () => batchDelete(made));
  console.log('all good');
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  }
);
