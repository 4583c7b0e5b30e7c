package main

import (
	"context"

	aiplatform "cloud.google.com/go/aiplatform/apiv1"
	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	beta "cloud.google.com/go/aiplatform/apiv1beta1"
	betapb "cloud.google.com/go/aiplatform/apiv1beta1/aiplatformpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/protobuf/proto"
)

// pipelines is what the scenarios call, by Google's client of either version. The messages are v1beta1's: v1's have the
// same fields under the same numbers, so that one becomes the other by way of its bytes.
type pipelines interface {
	create(context.Context, *betapb.CreatePipelineJobRequest) (*betapb.PipelineJob, error)
	get(ctx context.Context, name string) (*betapb.PipelineJob, error)
	// list gives all jobs, how many pages they came in, and the token of the second page.
	list(context.Context, *betapb.ListPipelineJobsRequest) ([]*betapb.PipelineJob, int, string, error)
	cancel(ctx context.Context, name string) error
	delete(ctx context.Context, name string) error
	// batchCancel gives the jobs, whether the operation's metadata has a time, and the operation's name.
	batchCancel(ctx context.Context, parent string, names []string) ([]*betapb.PipelineJob, bool, string, error)
	batchDelete(ctx context.Context, parent string, names []string) ([]*betapb.PipelineJob, error)
	operation(ctx context.Context, name string) (*longrunningpb.Operation, error)
}

type v1Client struct{ *aiplatform.PipelineClient }

type betaClient struct{ *beta.PipelineClient }

func connect(ctx context.Context, version string, options ...option.ClientOption) (pipelines, error) {
	if version == "v1" {
		client, err := aiplatform.NewPipelineClient(ctx, options...)
		return v1Client{client}, err
	}
	client, err := beta.NewPipelineClient(ctx, options...)
	return betaClient{client}, err
}

func (c betaClient) create(ctx context.Context, request *betapb.CreatePipelineJobRequest) (*betapb.PipelineJob, error) {
	return c.CreatePipelineJob(ctx, request)
}

func (c betaClient) get(ctx context.Context, name string) (*betapb.PipelineJob, error) {
	return c.GetPipelineJob(ctx, &betapb.GetPipelineJobRequest{Name: name})
}

func (c betaClient) list(
	ctx context.Context, request *betapb.ListPipelineJobsRequest,
) ([]*betapb.PipelineJob, int, string, error) {
	return paged[*betapb.PipelineJob](c.ListPipelineJobs(ctx, request), request)
}

func (c betaClient) cancel(ctx context.Context, name string) error {
	return c.CancelPipelineJob(ctx, &betapb.CancelPipelineJobRequest{Name: name})
}

func (c betaClient) delete(ctx context.Context, name string) error {
	operation, err := c.DeletePipelineJob(ctx, &betapb.DeletePipelineJobRequest{Name: name})
	if err != nil {
		return err
	}
	return operation.Wait(ctx)
}

func (c betaClient) batchCancel(
	ctx context.Context, parent string, names []string,
) ([]*betapb.PipelineJob, bool, string, error) {
	operation, err := c.BatchCancelPipelineJobs(ctx, &betapb.BatchCancelPipelineJobsRequest{Parent: parent, Names: names})
	if err != nil {
		return nil, false, "", err
	}
	response, err := operation.Wait(ctx)
	if err != nil {
		return nil, false, "", err
	}
	metadata, err := operation.Metadata()
	return response.PipelineJobs, metadata.GetGenericMetadata().GetCreateTime() != nil, operation.Name(), err
}

func (c betaClient) batchDelete(ctx context.Context, parent string, names []string) ([]*betapb.PipelineJob, error) {
	operation, err := c.BatchDeletePipelineJobs(ctx, &betapb.BatchDeletePipelineJobsRequest{Parent: parent, Names: names})
	if err != nil {
		return nil, err
	}
	response, err := operation.Wait(ctx)
	return response.GetPipelineJobs(), err
}

func (c betaClient) operation(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	return c.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
}

func (c v1Client) create(ctx context.Context, request *betapb.CreatePipelineJobRequest) (*betapb.PipelineJob, error) {
	v1 := &pb.CreatePipelineJobRequest{}
	if err := become(v1, request); err != nil {
		return nil, err
	}
	job, err := c.CreatePipelineJob(ctx, v1)
	return betaJob(job, err)
}

func (c v1Client) get(ctx context.Context, name string) (*betapb.PipelineJob, error) {
	return betaJob(c.GetPipelineJob(ctx, &pb.GetPipelineJobRequest{Name: name}))
}

func (c v1Client) list(
	ctx context.Context, request *betapb.ListPipelineJobsRequest,
) ([]*betapb.PipelineJob, int, string, error) {
	v1 := &pb.ListPipelineJobsRequest{}
	if err := become(v1, request); err != nil {
		return nil, 0, "", err
	}
	found, pages, token, err := paged[*pb.PipelineJob](c.ListPipelineJobs(ctx, v1), request)
	if err != nil {
		return nil, 0, "", err
	}
	jobs, err := betaJobs(found)
	return jobs, pages, token, err
}

func (c v1Client) cancel(ctx context.Context, name string) error {
	return c.CancelPipelineJob(ctx, &pb.CancelPipelineJobRequest{Name: name})
}

func (c v1Client) delete(ctx context.Context, name string) error {
	operation, err := c.DeletePipelineJob(ctx, &pb.DeletePipelineJobRequest{Name: name})
	if err != nil {
		return err
	}
	return operation.Wait(ctx)
}

func (c v1Client) batchCancel(
	ctx context.Context, parent string, names []string,
) ([]*betapb.PipelineJob, bool, string, error) {
	operation, err := c.BatchCancelPipelineJobs(ctx, &pb.BatchCancelPipelineJobsRequest{Parent: parent, Names: names})
	if err != nil {
		return nil, false, "", err
	}
	response, err := operation.Wait(ctx)
	if err != nil {
		return nil, false, "", err
	}
	metadata, err := operation.Metadata()
	if err != nil {
		return nil, false, "", err
	}
	jobs, err := betaJobs(response.PipelineJobs)
	return jobs, metadata.GetGenericMetadata().GetCreateTime() != nil, operation.Name(), err
}

func (c v1Client) batchDelete(ctx context.Context, parent string, names []string) ([]*betapb.PipelineJob, error) {
	operation, err := c.BatchDeletePipelineJobs(ctx, &pb.BatchDeletePipelineJobsRequest{Parent: parent, Names: names})
	if err != nil {
		return nil, err
	}
	response, err := operation.Wait(ctx)
	if err != nil {
		return nil, err
	}
	return betaJobs(response.PipelineJobs)
}

func (c v1Client) operation(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	return c.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
}

func become(to, from proto.Message) error {
	data, err := proto.Marshal(from)
	if err != nil {
		return err
	}
	return proto.Unmarshal(data, to)
}

func betaJob(job *pb.PipelineJob, err error) (*betapb.PipelineJob, error) {
	if err != nil {
		return nil, err
	}
	made := &betapb.PipelineJob{}
	return made, become(made, job)
}

func betaJobs(jobs []*pb.PipelineJob) ([]*betapb.PipelineJob, error) {
	var made []*betapb.PipelineJob
	for _, job := range jobs {
		one, err := betaJob(job, nil)
		if err != nil {
			return nil, err
		}
		made = append(made, one)
	}
	return made, nil
}

func paged[Job any](
	jobs iterator.Pageable, request *betapb.ListPipelineJobsRequest,
) (every []Job, pages int, second string, err error) {
	pager := iterator.NewPager(jobs, max(int(request.PageSize), 1), request.PageToken)
	for {
		var page []Job
		next, err := pager.NextPage(&page)
		if err != nil {
			return nil, 0, "", err
		}
		every = append(every, page...)
		if len(page) > 0 {
			pages++
		}
		if pages == 1 {
			second = next
		}
		if next == "" {
			return every, pages, second, nil
		}
	}
}
