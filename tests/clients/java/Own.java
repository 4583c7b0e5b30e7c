// What only Reprise has, by a Java client generated from its own protos. Arguments: PORT FOLDER STEPS_JSON WAITING_JSON.
// Every step asserts its outcome and then prints `ok SCENARIO`; the last line is `all good`.

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import reprise.v1.Explain.ExplainTaskRequest;
import reprise.v1.Explain.ExplainTaskResponse;
import reprise.v1.Explain.TaskComparison;
import reprise.v1.PipelineJobOuterClass.PipelineJob;
import reprise.v1.PipelineServiceGrpc;
import reprise.v1.PipelineServiceOuterClass.CreatePipelineJobRequest;
import reprise.v1.PipelineStateOuterClass.PipelineState;
import reprise.v1.Rerun.GetTaskLogRequest;
import reprise.v1.Rerun.PlanRerunRequest;
import reprise.v1.Rerun.RerunPipelineJobRequest;
import reprise.v1.Watch.ListPipelineTasksRequest;
import reprise.v1.Watch.StateChange;
import reprise.v1.Watch.WatchPipelineJobRequest;
import reprise.v1.Watch.WatchPipelineJobResponse;

public class Own {
  static final String PARENT = "projects/own-java/locations/here";

  final PipelineServiceGrpc.PipelineServiceBlockingStub stub;

  Own(PipelineServiceGrpc.PipelineServiceBlockingStub stub) {
    this.stub = stub;
  }

  public static void main(String[] arguments) throws Exception {
    var port = Integer.parseInt(arguments[0]);
    var channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    try {
      new Own(PipelineServiceGrpc.newBlockingStub(channel)).run(Path.of(arguments[1]), arguments[2]);
    } catch (Throwable error) {
      error.printStackTrace();
      System.exit(1);
    }
    System.out.println("all good");
    System.exit(0);
  }

  void run(Path folder, String steps) throws Exception {
    var spec = Struct.newBuilder();
    JsonFormat.parser().merge(Files.readString(Path.of(steps)), spec);
    var ledger = Value.newBuilder().setStringValue(folder.resolve("own-java.ledger").toString()).build();
    var job =
        PipelineJob.newBuilder()
            .setPipelineSpec(spec)
            .setRuntimeConfig(
                PipelineJob.RuntimeConfig.newBuilder().putParameterValues("ledger", ledger));
    var name =
        stub.createPipelineJob(
                CreatePipelineJobRequest.newBuilder().setParent(PARENT).setPipelineJob(job).build())
            .getName();
    done("submit");
    watch(name);
    done("watch");
    tasks(name);
    done("tasks by page");
    log(name);
    done("log");
    var rerun = rerun(name);
    done("plan and rerun");
    explain(name, rerun);
    done("explain");
  }

  void watch(String name) {
    var answers = watched(name, "");
    var changes = new ArrayList<StateChange>();
    answers.forEach(answer -> changes.addAll(answer.getChangesList()));
    for (var number = 0; number < changes.size(); number++) {
      same(changes.get(number).getSequence(), number + 1L);
    }
    var last = answers.get(answers.size() - 1);
    same(last.getIsLast(), true);
    same(last.getState(), PipelineState.PIPELINE_STATE_FAILED);
    var again = new ArrayList<StateChange>();
    watched(name, answers.get(0).getResumeToken()).forEach(answer -> again.addAll(answer.getChangesList()));
    same(again, changes.subList(answers.get(0).getChangesCount(), changes.size()));
  }

  List<WatchPipelineJobResponse> watched(String name, String token) {
    var answers = new ArrayList<WatchPipelineJobResponse>();
    stub.watchPipelineJob(WatchPipelineJobRequest.newBuilder().setName(name).setResumeToken(token).build())
        .forEachRemaining(answers::add);
    return answers;
  }

  void tasks(String name) {
    var found = new ArrayList<String>();
    var token = "";
    do {
      var page =
          stub.listPipelineTasks(
              ListPipelineTasksRequest.newBuilder()
                  .setParent(name)
                  .setPageSize(3)
                  .setPageToken(token)
                  .build());
      page.getTasksList().forEach(task -> found.add(task.getTaskName()));
      token = page.getNextPageToken();
    } while (!token.isEmpty());
    found.sort(null);
    same(found, List.of("check", "multiply", "prepare", "publish"));
    var failed =
        stub.listPipelineTasks(
            ListPipelineTasksRequest.newBuilder().setParent(name).setFilter("state=FAILED").build());
    same(failed.getTasks(0).getTaskName(), "check");
  }

  void log(String name) {
    var text = new StringBuilder();
    stub.getTaskLog(GetTaskLogRequest.newBuilder().setName(name).setTask("check").setFollow(true).build())
        .forEachRemaining(piece -> text.append(piece.getData().toStringUtf8()));
    same(text.toString().contains("is over the limit"), true);
  }

  /** The name of the new run. */
  String rerun(String name) {
    var limit = Value.newBuilder().setNumberValue(25).build();
    var request = RerunPipelineJobRequest.newBuilder().setName(name).putParameterValues("limit", limit);
    var plan = stub.planRerun(PlanRerunRequest.newBuilder().setRerun(request).build());
    var verdicts = new HashMap<String, String>();
    plan.getTasksList().forEach(task -> verdicts.put(task.getTaskName(), task.getVerdict().name()));
    same(verdicts.get("multiply"), "VERDICT_REUSE");
    same(verdicts.get("check"), "VERDICT_EXECUTE");
    var job = stub.rerunPipelineJob(request.setEtag(plan.getEtag()).build());
    same(job.getOriginalPipelineJob(), name);
    var answers = watched(job.getName(), "");
    same(answers.get(answers.size() - 1).getState(), PipelineState.PIPELINE_STATE_SUCCEEDED);
    refused(Status.Code.ABORTED, () -> stub.rerunPipelineJob(request.setEtag("of no plan").build()));
    return job.getName();
  }

  void explain(String original, String name) {
    var checked = explained(name, "check");
    same(checked.getVerdict().name(), "VERDICT_EXECUTE");
    same(checked.getComparison().getPipelineJob(), original);
    same(checked.getComparison().getDifferencesCount(), 1);
    var difference = checked.getComparison().getDifferences(0);
    same(difference.getField(), "inputs.parameters.limit");
    same(difference.getOldValue() + " " + difference.getNewValue(), "10 25");
    var reused = explained(name, "multiply");
    same(reused.getReusedFrom().getPipelineJob(), original);
    same(reused.getComparison().getFinding(), TaskComparison.Finding.EQUAL);
    refused(Status.Code.NOT_FOUND, () -> explained(name, "none"));
  }

  ExplainTaskResponse explained(String name, String task) {
    return stub.explainTask(ExplainTaskRequest.newBuilder().setName(name).setTask(task).build());
  }

  static void refused(Status.Code code, Runnable call) {
    try {
      call.run();
    } catch (StatusRuntimeException error) {
      same(error.getStatus().getCode(), code);
      return;
    }
    throw new AssertionError("expected " + code);
  }

  static void same(Object found, Object expected) {
    if (!expected.equals(found)) {
      throw new AssertionError("expected " + expected + ", got " + found);
    }
  }

  static void done(String scenario) {
    System.out.println("ok " + scenario);
  }
}
