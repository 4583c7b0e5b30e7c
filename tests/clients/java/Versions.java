// The calls that the scenarios make, by Google's Java client of either version. The messages are v1beta1's: v1's have
// the same fields under the same numbers, so that one becomes the other by way of its bytes.

import com.google.api.gax.core.NoCredentialsProvider;
import com.google.api.gax.rpc.FixedTransportChannelProvider;
import com.google.cloud.aiplatform.v1beta1.CreatePipelineJobRequest;
import com.google.cloud.aiplatform.v1beta1.ListPipelineJobsRequest;
import com.google.cloud.aiplatform.v1beta1.PipelineJob;
import com.google.longrunning.Operation;
import com.google.protobuf.InvalidProtocolBufferException;
import java.util.ArrayList;
import java.util.List;

interface Versions {
  record Page(List<PipelineJob> jobs, String nextToken) {}

  record Batch(List<PipelineJob> jobs, boolean hasCreateTime, String operation) {}

  PipelineJob create(CreatePipelineJobRequest request) throws Exception;

  PipelineJob get(String name) throws Exception;

  Page page(ListPipelineJobsRequest request) throws Exception;

  void cancel(String name);

  void delete(String name) throws Exception;

  Batch batchCancel(String parent, List<String> names) throws Exception;

  List<PipelineJob> batchDelete(String parent, List<String> names) throws Exception;

  Operation operation(String name);

  static Versions of(String version, FixedTransportChannelProvider provider) throws Exception {
    return version.equals("v1") ? new V1(provider) : new Beta(provider);
  }

  class Beta implements Versions {
    private final com.google.cloud.aiplatform.v1beta1.PipelineServiceClient client;

    Beta(FixedTransportChannelProvider provider) throws Exception {
      client =
          com.google.cloud.aiplatform.v1beta1.PipelineServiceClient.create(
              com.google.cloud.aiplatform.v1beta1.PipelineServiceSettings.newBuilder()
                  .setTransportChannelProvider(provider)
                  .setCredentialsProvider(NoCredentialsProvider.create())
                  .build());
    }

    public PipelineJob create(CreatePipelineJobRequest request) {
      return client.createPipelineJob(request);
    }

    public PipelineJob get(String name) {
      return client.getPipelineJob(name);
    }

    public Page page(ListPipelineJobsRequest request) {
      var page = client.listPipelineJobs(request).getPage();
      var jobs = new ArrayList<PipelineJob>();
      page.getValues().forEach(jobs::add);
      return new Page(jobs, page.getNextPageToken());
    }

    public void cancel(String name) {
      client.cancelPipelineJob(name);
    }

    public void delete(String name) throws Exception {
      client.deletePipelineJobAsync(name).get();
    }

    public Batch batchCancel(String parent, List<String> names) throws Exception {
      var operation = client.batchCancelPipelineJobsAsync(parent, names);
      var jobs = operation.get().getPipelineJobsList();
      var metadata = operation.getMetadata().get();
      return new Batch(jobs, metadata.getGenericMetadata().hasCreateTime(), operation.getName());
    }

    public List<PipelineJob> batchDelete(String parent, List<String> names) throws Exception {
      return client.batchDeletePipelineJobsAsync(parent, names).get().getPipelineJobsList();
    }

    public Operation operation(String name) {
      return client.getOperationsClient().getOperation(name);
    }
  }

  class V1 implements Versions {
    private final com.google.cloud.aiplatform.v1.PipelineServiceClient client;

    V1(FixedTransportChannelProvider provider) throws Exception {
      client =
          com.google.cloud.aiplatform.v1.PipelineServiceClient.create(
              com.google.cloud.aiplatform.v1.PipelineServiceSettings.newBuilder()
                  .setTransportChannelProvider(provider)
                  .setCredentialsProvider(NoCredentialsProvider.create())
                  .build());
    }

    public PipelineJob create(CreatePipelineJobRequest request) throws Exception {
      return beta(
          client.createPipelineJob(
              com.google.cloud.aiplatform.v1.CreatePipelineJobRequest.parseFrom(request.toByteArray())));
    }

    public PipelineJob get(String name) throws Exception {
      return beta(client.getPipelineJob(name));
    }

    public Page page(ListPipelineJobsRequest request) throws Exception {
      var page =
          client
              .listPipelineJobs(
                  com.google.cloud.aiplatform.v1.ListPipelineJobsRequest.parseFrom(request.toByteArray()))
              .getPage();
      return new Page(beta(page.getValues()), page.getNextPageToken());
    }

    public void cancel(String name) {
      client.cancelPipelineJob(name);
    }

    public void delete(String name) throws Exception {
      client.deletePipelineJobAsync(name).get();
    }

    public Batch batchCancel(String parent, List<String> names) throws Exception {
      var operation = client.batchCancelPipelineJobsAsync(parent, names);
      var jobs = beta(operation.get().getPipelineJobsList());
      var metadata = operation.getMetadata().get();
      return new Batch(jobs, metadata.getGenericMetadata().hasCreateTime(), operation.getName());
    }

    public List<PipelineJob> batchDelete(String parent, List<String> names) throws Exception {
      return beta(client.batchDeletePipelineJobsAsync(parent, names).get().getPipelineJobsList());
    }

    public Operation operation(String name) {
      return client.getOperationsClient().getOperation(name);
    }

    private static PipelineJob beta(com.google.cloud.aiplatform.v1.PipelineJob job)
        throws InvalidProtocolBufferException {
      return PipelineJob.parseFrom(job.toByteArray());
    }

    private static List<PipelineJob> beta(Iterable<com.google.cloud.aiplatform.v1.PipelineJob> jobs)
        throws InvalidProtocolBufferException {
      var made = new ArrayList<PipelineJob>();
      for (var job : jobs) {
        made.add(beta(job));
      }
      return made;
    }
  }
}
