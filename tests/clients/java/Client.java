// What a user of Google's Java clients does, against a Reprise server: gRPC without TLS, the clients as they come.
// Arguments: PORT FOLDER STEPS_JSON WAITING_JSON. Every step asserts its outcome and then prints `ok SCENARIO`; the
// last line is `all good`. What really ran is read from the ledger that the tasks write.

import com.google.api.gax.core.NoCredentialsProvider;
import com.google.api.gax.grpc.GrpcTransportChannel;
import com.google.api.gax.rpc.ApiException;
import com.google.api.gax.rpc.FixedTransportChannelProvider;
import com.google.api.gax.rpc.StatusCode;
import com.google.cloud.aiplatform.v1.CreatePipelineJobRequest;
import com.google.cloud.aiplatform.v1.ListPipelineJobsRequest;
import com.google.cloud.aiplatform.v1.PipelineJob;
import com.google.cloud.aiplatform.v1.PipelineServiceClient;
import com.google.cloud.aiplatform.v1.PipelineServiceSettings;
import com.google.cloud.aiplatform.v1beta1.PipelineState;
import com.google.cloud.aiplatform.v1beta1.PipelineTaskDetail;
import com.google.cloud.aiplatform.v1beta1.PipelineTaskRerunConfig;
import com.google.protobuf.FieldMask;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;

public class Client {
  static final String PARENT = "projects/java-project/locations/europe-west4";
  static final String ID_LABEL = "vertex-ai-pipelines-run-billing-id";
  static final List<String> LONG = List.of("java-long-1", "java-long-2", "java-long-3");

  final PipelineServiceClient client;
  final com.google.cloud.aiplatform.v1beta1.PipelineServiceClient beta;
  final Path folder;
  final Struct steps;
  final Struct waiting;

  Client(ManagedChannel channel, String[] arguments) throws Exception {
    var provider = FixedTransportChannelProvider.create(GrpcTransportChannel.create(channel));
    client =
        PipelineServiceClient.create(
            PipelineServiceSettings.newBuilder()
                .setTransportChannelProvider(provider)
                .setCredentialsProvider(NoCredentialsProvider.create())
                .build());
    beta =
        com.google.cloud.aiplatform.v1beta1.PipelineServiceClient.create(
            com.google.cloud.aiplatform.v1beta1.PipelineServiceSettings.newBuilder()
                .setTransportChannelProvider(provider)
                .setCredentialsProvider(NoCredentialsProvider.create())
                .build());
    folder = Path.of(arguments[1]);
    steps = spec(arguments[2]);
    waiting = spec(arguments[3]);
  }

  public static void main(String[] arguments) throws Exception {
    var port = Integer.parseInt(arguments[0]);
    var channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    try {
      new Client(channel, arguments).run();
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
    rerunWithParameters(failed);
    done("rerun with parameters");
    rerunWithSkip(failed);
    done("rerun with skip");
    rerunWithInputs(failed);
    done("rerun with inputs");
    var names = cancel();
    done("cancel");
    batchCancel(names.subList(1, 3));
    done("batch cancel");
    list(failed.getName());
    done("list");
    errors(failed);
    done("errors");
    delete(failed.getName());
    done("delete");
    batchDelete(names);
    done("batch delete");
  }

  com.google.cloud.aiplatform.v1beta1.PipelineJob submit() throws Exception {
    var created =
        client.createPipelineJob(
            PARENT,
            PipelineJob.newBuilder()
                .setDisplayName("from java")
                .putLabels("team", "java")
                .setPipelineSpec(steps)
                .setRuntimeConfig(
                    PipelineJob.RuntimeConfig.newBuilder()
                        .setGcsOutputDirectory(folder.resolve("root").toString())
                        .putParameterValues("ledger", text(ledger("steps").toString())))
                .build(),
            "java-failed");
    same(created.getName(), PARENT + "/pipelineJobs/java-failed");
    var failed = ended(created.getName());
    same(failed.getState(), PipelineState.PIPELINE_STATE_FAILED);
    same(
        states(failed),
        Map.of(
            "prepare", "SUCCEEDED", "multiply", "SUCCEEDED", "check", "FAILED", "publish", "NOT_TRIGGERED"));
    var metadata = detail(failed, "multiply").getExecution().getMetadata();
    same(metadata.getFieldsOrThrow("output:product").getNumberValue(), 14.0);
    var artifact = detail(failed, "prepare").getOutputsOrThrow("data").getArtifacts(0);
    same(artifact.getSchemaTitle(), "system.Dataset");
    return failed;
  }

  // What Vertex's clients send: a v1beta1 Create with the original's id and a config for each of its tasks.
  com.google.cloud.aiplatform.v1beta1.PipelineJob rerun(
      com.google.cloud.aiplatform.v1beta1.PipelineJob original,
      String id,
      Map<String, Value> parameters,
      Map<String, PipelineTaskRerunConfig> asked)
      throws Exception {
    var originalId = Long.parseLong(original.getLabelsOrThrow(ID_LABEL));
    var job =
        com.google.cloud.aiplatform.v1beta1.PipelineJob.newBuilder()
            .setOriginalPipelineJobId(originalId)
            .setPipelineSpec(steps)
            .setRuntimeConfig(
                com.google.cloud.aiplatform.v1beta1.PipelineJob.RuntimeConfig.newBuilder()
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
    var made = ended(beta.createPipelineJob(PARENT, job.build(), id).getName());
    same(made.getOriginalPipelineJobId(), originalId);
    return made;
  }

  void rerunWithParameters(com.google.cloud.aiplatform.v1beta1.PipelineJob failed) throws Exception {
    var job = rerun(failed, "java-corrected", Map.of("limit", number(20)), Map.of());
    same(
        states(job),
        Map.of("prepare", "SKIPPED", "multiply", "SKIPPED", "check", "SUCCEEDED", "publish", "SUCCEEDED"));
    same(ran("steps"), List.of("prepare", "multiply", "check", "check", "publish"));
  }

  void rerunWithSkip(com.google.cloud.aiplatform.v1beta1.PipelineJob failed) throws Exception {
    var skip = PipelineTaskRerunConfig.newBuilder().setSkipTask(true).build();
    var job = rerun(failed, "java-skipped", Map.of(), Map.of("check", skip));
    same(
        states(job),
        Map.of("prepare", "SKIPPED", "multiply", "SKIPPED", "check", "SKIPPED", "publish", "SUCCEEDED"));
  }

  void rerunWithInputs(com.google.cloud.aiplatform.v1beta1.PipelineJob failed) throws Exception {
    var job = rerun(failed, "java-inputs", Map.of(), Map.of("multiply", withInput("factor")));
    same(
        states(job),
        Map.of("prepare", "SKIPPED", "multiply", "SUCCEEDED", "check", "SUCCEEDED", "publish", "SUCCEEDED"));
    var metadata = detail(job, "multiply").getExecution().getMetadata();
    same(metadata.getFieldsOrThrow("output:product").getNumberValue(), 7.0);
  }

  List<String> cancel() throws Exception {
    var names = new ArrayList<String>();
    for (var id : LONG) {
      names.add(client.createPipelineJob(PARENT, waitingJob(id), id).getName());
    }
    until("a task waits", () -> ran(LONG.get(0)).contains("wait") ? true : null);
    client.cancelPipelineJob(names.get(0));
    var job = ended(names.get(0));
    same(job.getState(), PipelineState.PIPELINE_STATE_CANCELLED);
    same(job.getError().getCode(), 1);
    return names;
  }

  void batchCancel(List<String> names) throws Exception {
    var operation = client.batchCancelPipelineJobsAsync(PARENT, names);
    var cancelled = new ArrayList<String>();
    operation.get().getPipelineJobsList().forEach(job -> cancelled.add(job.getName()));
    cancelled.sort(null);
    same(cancelled, names);
    same(operation.getMetadata().get().getGenericMetadata().hasCreateTime(), true);
  }

  void list(String failed) {
    var every = new ArrayList<String>();
    var request =
        ListPipelineJobsRequest.newBuilder().setParent(PARENT).setPageSize(2).setOrderBy("create_time");
    client.listPipelineJobs(request.build()).iterateAll().forEach(job -> every.add(job.getName()));
    same(every.size(), 7);
    same(every.get(0), failed);
    var some = new ArrayList<String>();
    var filtered =
        ListPipelineJobsRequest.newBuilder()
            .setParent(PARENT)
            .setFilter("labels.team=\"java\"")
            .setReadMask(FieldMask.newBuilder().addPaths("name").addPaths("state"));
    client.listPipelineJobs(filtered.build()).iterateAll().forEach(job -> some.add(job.getName()));
    same(some, List.of(failed));
  }

  void errors(com.google.cloud.aiplatform.v1beta1.PipelineJob failed) {
    var none = PARENT + "/pipelineJobs/none";
    refused(StatusCode.Code.NOT_FOUND, () -> client.getPipelineJob(none));
    refused(
        StatusCode.Code.NOT_FOUND,
        () -> {
          client.cancelPipelineJob(none);
          return null;
        });
    refused(
        StatusCode.Code.ALREADY_EXISTS,
        () -> client.createPipelineJob(PARENT, waitingJob("x"), "java-failed"));
    refused(
        StatusCode.Code.INVALID_ARGUMENT,
        () ->
            client.createPipelineJob(
                CreatePipelineJobRequest.newBuilder()
                    .setParent(PARENT)
                    .setPipelineJob(PipelineJob.getDefaultInstance())
                    .build()));
    refused(
        StatusCode.Code.INVALID_ARGUMENT,
        () -> rerun(failed, "java-refused", Map.of(), Map.of("multiply", withInput("undeclared"))));
  }

  void delete(String name) throws Exception {
    client.deletePipelineJobAsync(name).get();
    refused(StatusCode.Code.NOT_FOUND, () -> beta.getPipelineJob(name));
  }

  void batchDelete(List<String> names) throws Exception {
    same(beta.batchDeletePipelineJobsAsync(PARENT, names).get().getPipelineJobsCount(), names.size());
  }

  com.google.cloud.aiplatform.v1beta1.PipelineJob ended(String name) throws Exception {
    return until(
        name + " has ended",
        () -> {
          var job = beta.getPipelineJob(name);
          return job.hasEndTime() ? job : null;
        });
  }

  PipelineJob waitingJob(String ledger) {
    return PipelineJob.newBuilder()
        .setPipelineSpec(waiting)
        .setRuntimeConfig(
            PipelineJob.RuntimeConfig.newBuilder()
                .putParameterValues("ledger", text(ledger(ledger).toString())))
        .build();
  }

  Path ledger(String name) {
    return folder.resolve(name + ".ledger");
  }

  List<String> ran(String name) throws Exception {
    return Files.exists(ledger(name)) ? Files.readAllLines(ledger(name)) : List.of();
  }

  static <T> T until(String text, Callable<T> found) throws Exception {
    var deadline = System.nanoTime() + 60_000_000_000L;
    while (System.nanoTime() < deadline) {
      var answer = found.call();
      if (answer != null) {
        return answer;
      }
      Thread.sleep(100);
    }
    throw new AssertionError("not within a minute: " + text);
  }

  static void refused(StatusCode.Code expected, Callable<?> call) {
    try {
      call.call();
    } catch (ApiException error) {
      same(error.getStatusCode().getCode(), expected);
      return;
    } catch (Exception error) {
      throw new AssertionError(error);
    }
    throw new AssertionError("expected " + expected);
  }

  static void same(Object found, Object expected) {
    if (!expected.equals(found)) {
      throw new AssertionError("expected " + expected + ", got " + found);
    }
  }

  static void done(String scenario) {
    System.out.println("ok " + scenario);
  }

  static Map<String, String> states(com.google.cloud.aiplatform.v1beta1.PipelineJob job) {
    var found = new TreeMap<String, String>();
    for (var task : job.getJobDetail().getTaskDetailsList()) {
      found.put(task.getTaskUniqueName(), task.getState().name());
    }
    return found;
  }

  static PipelineTaskDetail detail(com.google.cloud.aiplatform.v1beta1.PipelineJob job, String name) {
    return job.getJobDetail().getTaskDetailsList().stream()
        .filter(task -> task.getTaskUniqueName().equals(name))
        .findFirst()
        .orElseThrow();
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
