// What a user of Google's Java clients does, against a Reprise server: gRPC without TLS, the clients as they come.
// Arguments: PORT FOLDER STEPS_JSON WAITING_JSON v1|v1beta1. Every step asserts its outcome and then prints
// `ok SCENARIO`; the last line is `all good`. What really ran is read from the ledger that the tasks write. The server
// knows the project by its number too.

import com.google.api.gax.grpc.GrpcTransportChannel;
import com.google.api.gax.rpc.ApiException;
import com.google.api.gax.rpc.FixedTransportChannelProvider;
import com.google.api.gax.rpc.StatusCode;
import com.google.cloud.aiplatform.v1beta1.CreatePipelineJobRequest;
import com.google.cloud.aiplatform.v1beta1.ListPipelineJobsRequest;
import com.google.cloud.aiplatform.v1beta1.PipelineJob;
import com.google.cloud.aiplatform.v1beta1.PipelineState;
import com.google.cloud.aiplatform.v1beta1.PipelineTaskDetail;
import com.google.cloud.aiplatform.v1beta1.PipelineTaskRerunConfig;
import com.google.protobuf.FieldMask;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import io.grpc.ManagedChannelBuilder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;

public class Client {
  static final String PROJECT = "gapic-project";
  static final String NUMBER = "123456";
  static final String ID_LABEL = "vertex-ai-pipelines-run-billing-id";
  static final List<String> LONG = List.of("long-1", "long-2", "long-3", "long-4");

  final Versions client;
  final boolean isBeta;
  final String parent;
  final Path folder;
  final Struct steps;
  final Struct waiting;

  Client(Versions client, String[] arguments) throws Exception {
    this.client = client;
    folder = Path.of(arguments[1]);
    steps = spec(arguments[2]);
    waiting = spec(arguments[3]);
    isBeta = arguments[4].equals("v1beta1");
    parent =
        "projects/" + PROJECT + "/locations/java-" + arguments[4] + "-" + System.currentTimeMillis();
  }

  public static void main(String[] arguments) throws Exception {
    var port = Integer.parseInt(arguments[0]);
    var channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    var provider = FixedTransportChannelProvider.create(GrpcTransportChannel.create(channel));
    try {
      new Client(Versions.of(arguments[4], provider), arguments).run();
    } catch (Throwable error) {
      error.printStackTrace();
      System.exit(1);
    }
    System.out.println("all good");
    System.exit(0);
  }

  void run() throws Exception {
    var failed = submit();
    done("submit");
    get(failed);
    done("get");
    if (isBeta) { // v1 knows no reruns
      rerunWithParameters(failed);
      done("rerun with parameters");
      rerunWithSkip(failed);
      done("rerun with skip");
      rerunWithInputs(failed);
      done("rerun with inputs");
      rerunRefused(failed);
      done("rerun refused");
    }
    var names = cancel();
    done("cancel");
    batchCancel(names.subList(1, 3));
    done("batch cancel");
    batchCancelMixed(names.get(3));
    done("batch cancel by id and number");
    listPages();
    done("list: pages and order");
    listFiltered(failed.getName());
    done("list: filter");
    listMasked(failed.getName());
    done("list: read mask");
    errors(failed.getName());
    done("errors");
    delete(failed.getName());
    done("delete");
    batchDelete(names);
    done("batch delete");
  }

  PipelineJob create(String id, PipelineJob.Builder job) throws Exception {
    return client.create(
        CreatePipelineJobRequest.newBuilder()
            .setParent(parent)
            .setPipelineJobId(id)
            .setPipelineJob(job)
            .build());
  }

  PipelineJob submit() throws Exception {
    var created =
        create(
            "failed",
            PipelineJob.newBuilder()
                .setDisplayName("from java")
                .putLabels("team", "java")
                .setPipelineSpec(steps)
                .setRuntimeConfig(
                    PipelineJob.RuntimeConfig.newBuilder()
                        .setGcsOutputDirectory(folder.resolve("root").toString())
                        .putParameterValues("ledger", text(ledger("steps").toString()))));
    same(created.getName(), parent + "/pipelineJobs/failed");
    same(created.getState(), PipelineState.PIPELINE_STATE_PENDING);
    return ended(created.getName());
  }

  void get(PipelineJob failed) {
    same(failed.getState(), PipelineState.PIPELINE_STATE_FAILED);
    same(failed.getError().getMessage().isEmpty(), false);
    same(
        states(failed),
        Map.of(
            "prepare", "SUCCEEDED", "multiply", "SUCCEEDED", "check", "FAILED", "publish", "NOT_TRIGGERED"));
    same(product(failed), 14.0);
    var artifact = detail(failed, "prepare").getOutputsOrThrow("data").getArtifacts(0);
    same(artifact.getSchemaTitle(), "system.Dataset");
  }

  // What Vertex's clients send: a v1beta1 Create with the original's id and a config for each of its tasks.
  PipelineJob rerun(
      PipelineJob original,
      String id,
      Map<String, Value> parameters,
      Map<String, PipelineTaskRerunConfig> asked)
      throws Exception {
    var originalId = Long.parseLong(original.getLabelsOrThrow(ID_LABEL));
    var job =
        PipelineJob.newBuilder()
            .setOriginalPipelineJobId(originalId)
            .setPipelineSpec(steps)
            .setRuntimeConfig(
                PipelineJob.RuntimeConfig.newBuilder()
                    .putAllParameterValues(parameters));
    for (var task : original.getJobDetail().getTaskDetailsList()) {
      var filler =
          PipelineTaskRerunConfig.newBuilder()
              .setSkipTask(task.getState() == PipelineTaskDetail.State.SUCCEEDED)
              .build();
      job.addPipelineTaskRerunConfigs(
          asked.getOrDefault(task.getTaskUniqueName(), filler).toBuilder()
              .setTaskId(task.getTaskId())
              .setTaskName(task.getTaskUniqueName()));
    }
    var made = ended(create(id, job).getName());
    same(made.getOriginalPipelineJobId(), originalId);
    return made;
  }

  void rerunWithParameters(PipelineJob failed) throws Exception {
    var job = rerun(failed, "corrected", Map.of("limit", number(20)), Map.of());
    same(
        states(job),
        Map.of("prepare", "SKIPPED", "multiply", "SKIPPED", "check", "SUCCEEDED", "publish", "SUCCEEDED"));
    same(ran("steps"), List.of("prepare", "multiply", "check", "check", "publish"));
  }

  void rerunWithSkip(PipelineJob failed) throws Exception {
    var skip = PipelineTaskRerunConfig.newBuilder().setSkipTask(true).build();
    var job = rerun(failed, "skipped", Map.of(), Map.of("check", skip));
    same(
        states(job),
        Map.of("prepare", "SKIPPED", "multiply", "SKIPPED", "check", "SKIPPED", "publish", "SUCCEEDED"));
  }

  void rerunWithInputs(PipelineJob failed) throws Exception {
    var job = rerun(failed, "inputs", Map.of(), Map.of("multiply", withInput("factor")));
    same(
        states(job),
        Map.of("prepare", "SKIPPED", "multiply", "SUCCEEDED", "check", "SUCCEEDED", "publish", "SUCCEEDED"));
    same(product(job), 7.0);
  }

  void rerunRefused(PipelineJob failed) {
    refused(
        StatusCode.Code.INVALID_ARGUMENT,
        () -> rerun(failed, "refused", Map.of(), Map.of("multiply", withInput("undeclared"))));
    refused(
        StatusCode.Code.NOT_FOUND,
        () -> create("", PipelineJob.newBuilder().setOriginalPipelineJobId(1).setPipelineSpec(steps)));
    var config = PipelineTaskRerunConfig.newBuilder().setTaskId(1);
    refused(
        StatusCode.Code.INVALID_ARGUMENT,
        () ->
            create(
                "", PipelineJob.newBuilder().addPipelineTaskRerunConfigs(config).setPipelineSpec(steps)));
  }

  List<String> cancel() throws Exception {
    var names = new ArrayList<String>();
    for (var id : LONG) {
      names.add(create(id, waitingJob(id)).getName());
    }
    until("a task waits", () -> ran(LONG.get(0)).contains("wait") ? true : null);
    client.cancel(names.get(0));
    var job = ended(names.get(0));
    same(job.getState(), PipelineState.PIPELINE_STATE_CANCELLED);
    same(job.getError().getCode(), 1);
    client.cancel(names.get(0)); // again: nothing changes
    return names;
  }

  void batchCancel(List<String> names) throws Exception {
    var batch = client.batchCancel(parent, names);
    same(sorted(batch.jobs()), names);
    same(batch.hasCreateTime(), true);
    var operation = client.operation(batch.operation());
    same(operation.getName(), batch.operation());
    same(operation.getDone(), true);
  }

  // Google's sample: the parent by the project's id, the names by its number.
  void batchCancelMixed(String name) throws Exception {
    var mixed = name.replace(PROJECT, NUMBER);
    same(names(client.batchCancel(parent, List.of(mixed)).jobs()), List.of(name));
    same(client.get(mixed).getName(), name);
  }

  void listPages() throws Exception {
    var every = names(client.page(list().build()).jobs());
    same(every.size(), isBeta ? 8 : 5);
    var paged = new ArrayList<String>();
    var tokens = new ArrayList<String>();
    do {
      var request = list().setPageSize(2).setOrderBy("create_time");
      var page = client.page(request.setPageToken(tokens.isEmpty() ? "" : tokens.get(tokens.size() - 1)).build());
      paged.addAll(names(page.jobs()));
      tokens.add(page.nextToken());
    } while (!tokens.get(tokens.size() - 1).isEmpty());
    same(tokens.size() > 2, true);
    Collections.reverse(paged);
    same(paged, every);
    for (var order : List.of("display_name", "update_time desc", "end_time desc")) {
      var found = names(client.page(list().setOrderBy(order).build()).jobs());
      found.sort(null);
      same(found, every.stream().sorted().toList());
    }
    refused(
        StatusCode.Code.INVALID_ARGUMENT,
        () -> client.page(list().setPageToken(tokens.get(0)).setFilter("state=FAILED").build()));
  }

  void listFiltered(String failed) throws Exception {
    var one = List.of(failed);
    var cancelled = new ArrayList<String>();
    LONG.forEach(id -> cancelled.add(0, parent + "/pipelineJobs/" + id));
    var expected =
        Map.of(
            "state=\"PIPELINE_STATE_FAILED\"", one,
            "labels.team=\"java\"", one,
            "labels.team:*", one,
            "display_name=\"from j*\" AND NOT state=\"PIPELINE_STATE_CANCELLED\"", one,
            "state=\"PIPELINE_STATE_CANCELLED\" AND (labels.team=\"x\" OR NOT labels.team:*)", cancelled,
            "create_time>\"2200-01-01T00:00:00Z\"", List.<String>of(),
            "pipeline_job_user_id=\"failed\" AND end_time>\"2000-01-01T00:00:00Z\"", one,
            "pipeline_name:\"client-steps*\" AND labels.team=java", one);
    for (var entry : expected.entrySet()) {
      same(names(client.page(list().setFilter(entry.getKey()).build()).jobs()), entry.getValue());
    }
    refused(
        StatusCode.Code.INVALID_ARGUMENT,
        () -> client.page(list().setFilter("no_such_field=1").build()));
  }

  void listMasked(String failed) throws Exception {
    var plain = masked(FieldMask.newBuilder().addPaths("name").addPaths("state"));
    var expected = PipelineJob.newBuilder().setName(failed).setState(PipelineState.PIPELINE_STATE_FAILED);
    same(plain, expected.build());
    var inside = masked(FieldMask.newBuilder().addPaths("job_detail.task_details.task_name"));
    var tasks = new ArrayList<String>();
    inside.getJobDetail().getTaskDetailsList().forEach(task -> tasks.add(task.getTaskName()));
    tasks.sort(null);
    same(tasks, List.of("check", "multiply", "prepare", "publish"));
  }

  PipelineJob masked(FieldMask.Builder mask) throws Exception {
    var found = client.page(list().setFilter("state=FAILED").setReadMask(mask).build()).jobs();
    same(found.size(), 1);
    return found.get(0);
  }

  ListPipelineJobsRequest.Builder list() {
    return ListPipelineJobsRequest.newBuilder().setParent(parent);
  }

  void errors(String failed) throws Exception {
    var none = parent + "/pipelineJobs/none";
    var elsewhere = none.replace(PROJECT, "other");
    refused(StatusCode.Code.NOT_FOUND, () -> client.get(none));
    refused(StatusCode.Code.NOT_FOUND, () -> { client.cancel(none); return null; });
    refused(StatusCode.Code.NOT_FOUND, () -> { client.delete(none); return null; });
    refused(StatusCode.Code.NOT_FOUND, () -> client.batchCancel(parent, List.of(failed, none)));
    refused(StatusCode.Code.NOT_FOUND, () -> client.batchDelete(parent, List.of(failed, none)));
    refused(StatusCode.Code.NOT_FOUND, () -> client.operation(parent + "/operations/1"));
    refused(StatusCode.Code.INVALID_ARGUMENT, () -> client.batchCancel(parent, List.of()));
    refused(StatusCode.Code.INVALID_ARGUMENT, () -> client.batchCancel(parent, List.of(elsewhere)));
    refused(StatusCode.Code.ALREADY_EXISTS, () -> create("failed", waitingJob("x")));
    refused(StatusCode.Code.INVALID_ARGUMENT, () -> create("Not An Id", waitingJob("x")));
    refused(StatusCode.Code.INVALID_ARGUMENT, () -> create("", PipelineJob.newBuilder()));
    var noPipeline = Struct.newBuilder().putFields("a", number(1));
    refused(
        StatusCode.Code.INVALID_ARGUMENT,
        () -> create("", PipelineJob.newBuilder().setPipelineSpec(noPipeline)));
    refused(
        StatusCode.Code.INVALID_ARGUMENT,
        () -> create("", PipelineJob.newBuilder().setPipelineSpec(waiting)));
    var running = create("running", waitingJob("running")).getName();
    refused(StatusCode.Code.FAILED_PRECONDITION, () -> { client.delete(running); return null; });
    client.cancel(running);
    ended(running);
  }

  void delete(String name) throws Exception {
    client.delete(name);
    refused(StatusCode.Code.NOT_FOUND, () -> client.get(name));
  }

  void batchDelete(List<String> names) throws Exception {
    same(sorted(client.batchDelete(parent, names)), names);
    refused(StatusCode.Code.NOT_FOUND, () -> client.get(names.get(0)));
  }

  PipelineJob ended(String name) throws Exception {
    return until(
        name + " has ended",
        () -> {
          var job = client.get(name);
          return job.hasEndTime() ? job : null;
        });
  }

  PipelineJob.Builder waitingJob(String ledger) {
    return PipelineJob.newBuilder()
        .setPipelineSpec(waiting)
        .setRuntimeConfig(
            PipelineJob.RuntimeConfig.newBuilder()
                .putParameterValues("ledger", text(ledger(ledger).toString())));
  }

  Path ledger(String name) {
    return folder.resolve(name + ".ledger");
  }

  List<String> ran(String name) throws Exception {
    return Files.exists(ledger(name)) ? Files.readAllLines(ledger(name)) : List.of();
  }

  static <T> T until(String text, Callable<T> found) throws Exception {
    var deadline = System.nanoTime() + 180_000_000_000L;
    while (System.nanoTime() < deadline) {
      var answer = found.call();
      if (answer != null) {
        return answer;
      }
      Thread.sleep(100);
    }
    throw new AssertionError("not within three minutes: " + text);
  }

  // A refusal has its code, and a reason of Reprise's.
  static void refused(StatusCode.Code expected, Callable<?> call) {
    Throwable found = null;
    try {
      call.call();
    } catch (ExecutionException error) {
      found = error.getCause();
    } catch (Exception error) {
      found = error;
    }
    if (!(found instanceof ApiException refusal)) {
      throw new AssertionError("expected " + expected, found);
    }
    same(refusal.getStatusCode().getCode(), expected);
    same(refusal.getDomain(), "reprise");
    same(refusal.getReason() == null || refusal.getReason().isEmpty(), false);
  }

  static void same(Object found, Object expected) {
    if (!expected.equals(found)) {
      throw new AssertionError("expected " + expected + ", got " + found);
    }
  }

  static void done(String scenario) {
    System.out.println("ok " + scenario);
  }

  static Map<String, String> states(PipelineJob job) {
    var found = new TreeMap<String, String>();
    for (var task : job.getJobDetail().getTaskDetailsList()) {
      found.put(task.getTaskUniqueName(), task.getState().name());
    }
    return found;
  }

  static PipelineTaskDetail detail(PipelineJob job, String name) {
    return job.getJobDetail().getTaskDetailsList().stream()
        .filter(task -> task.getTaskUniqueName().equals(name))
        .findFirst()
        .orElseThrow();
  }

  static double product(PipelineJob job) {
    var metadata = detail(job, "multiply").getExecution().getMetadata();
    return metadata.getFieldsOrThrow("output:product").getNumberValue();
  }

  static List<String> names(List<PipelineJob> jobs) {
    var names = new ArrayList<String>();
    jobs.forEach(job -> names.add(job.getName()));
    return names;
  }

  static List<String> sorted(List<PipelineJob> jobs) {
    return names(jobs).stream().sorted().toList();
  }

  static PipelineTaskRerunConfig withInput(String name) {
    return PipelineTaskRerunConfig.newBuilder()
        .setInputs(PipelineTaskRerunConfig.Inputs.newBuilder().putParameterValues(name, number(1)))
        .build();
  }

  static Value text(String text) {
    return Value.newBuilder().setStringValue(text).build();
  }

  static Value number(double number) {
    return Value.newBuilder().setNumberValue(number).build();
  }

  static Struct spec(String path) throws Exception {
    var spec = Struct.newBuilder();
    JsonFormat.parser().merge(Files.readString(Path.of(path)), spec);
    return spec.build();
  }
}
