//go:build own

// What only Reprise has, by a client generated from its own protos.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	reprise "reprise.example/conformance/reprisev1"
)

func init() {
	own = func(ctx context.Context, address, original string) error {
		connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer connection.Close()
		client := reprise.NewPipelineServiceClient(connection)
		for _, step := range []struct {
			name string
			run  func(context.Context, reprise.PipelineServiceClient, string) error
		}{
			{"watch", watchIt},
			{"tasks by page", pageTasks},
			{"log", readLog},
			{"plan and rerun", planAndRerun},
			{"explain", explain},
		} {
			if err := step.run(ctx, client, original); err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
			fmt.Println("ok " + step.name)
		}
		return nil
	}
}

func watchIt(ctx context.Context, client reprise.PipelineServiceClient, name string) error {
	last, told, err := watched(ctx, client, &reprise.WatchPipelineJobRequest{Name: name})
	if err != nil {
		return err
	}
	_, again, err := watched(ctx, client, &reprise.WatchPipelineJobRequest{Name: name, ResumeToken: last.ResumeToken})
	return errors.Join(
		err,
		same(last.IsLast, true),
		same(last.State.String(), "PIPELINE_STATE_FAILED"),
		same(told > 8, true),
		same(again, int64(0)),
	)
}

// watched reads a watch to its end; the number of changes told, which must have come without gaps.
func watched(
	ctx context.Context, client reprise.PipelineServiceClient, request *reprise.WatchPipelineJobRequest,
) (*reprise.WatchPipelineJobResponse, int64, error) {
	stream, err := client.WatchPipelineJob(ctx, request)
	if err != nil {
		return nil, 0, err
	}
	last, told := &reprise.WatchPipelineJobResponse{}, int64(0)
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last, told, nil
		}
		if err != nil {
			return nil, 0, err
		}
		last = answer
		for _, change := range answer.Changes {
			told++
			if change.Sequence != told {
				return nil, 0, fmt.Errorf("change %d came as the %dth", change.Sequence, told)
			}
		}
	}
}

func pageTasks(ctx context.Context, client reprise.PipelineServiceClient, name string) error {
	request := &reprise.ListPipelineTasksRequest{Parent: name, PageSize: 3}
	var found []string
	for {
		page, err := client.ListPipelineTasks(ctx, request)
		if err != nil {
			return err
		}
		for _, task := range page.Tasks {
			found = append(found, task.TaskUniqueName)
		}
		if page.NextPageToken == "" {
			break
		}
		request.PageToken = page.NextPageToken
	}
	failed, err := client.ListPipelineTasks(ctx, &reprise.ListPipelineTasksRequest{Parent: name, Filter: "state=FAILED"})
	if err != nil {
		return err
	}
	return errors.Join(same(len(found), 4), same(len(failed.Tasks), 1), same(failed.Tasks[0].TaskName, "check"))
}

func readLog(ctx context.Context, client reprise.PipelineServiceClient, name string) error {
	stream, err := client.GetTaskLog(ctx, &reprise.GetTaskLogRequest{Name: name, Task: "check", Follow: true})
	if err != nil {
		return err
	}
	var log strings.Builder
	isComplete := false
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		log.Write(piece.Data)
		isComplete = piece.IsComplete
	}
	return errors.Join(same(strings.Contains(log.String(), "is over the limit"), true), same(isComplete, true))
}

func planAndRerun(ctx context.Context, client reprise.PipelineServiceClient, name string) error {
	rerun := &reprise.RerunPipelineJobRequest{
		Name:            name,
		PipelineJobId:   rerunID,
		ParameterValues: map[string]*structpb.Value{"limit": structpb.NewNumberValue(25)},
	}
	plan, err := client.PlanRerun(ctx, &reprise.PlanRerunRequest{Rerun: rerun})
	if err != nil {
		return err
	}
	verdicts := map[string]string{}
	for _, task := range plan.Tasks {
		verdicts[task.TaskUniqueName] = task.Verdict.String()
	}
	rerun.Etag = plan.Etag
	job, err := client.RerunPipelineJob(ctx, rerun)
	if err != nil {
		return err
	}
	last, _, err := watched(ctx, client, &reprise.WatchPipelineJobRequest{Name: job.Name})
	if err != nil {
		return err
	}
	return errors.Join(
		same(verdicts["multiply"], "VERDICT_REUSE"),
		same(verdicts["check"], "VERDICT_EXECUTE"),
		same(job.OriginalPipelineJob, name),
		same(last.State.String(), "PIPELINE_STATE_SUCCEEDED"),
	)
}

// The rerun that planAndRerun makes, which explain asks about.
const rerunID = "own-go-rerun"

func explain(ctx context.Context, client reprise.PipelineServiceClient, original string) error {
	name := original[:strings.LastIndex(original, "/")+1] + rerunID
	ask := func(task string) (*reprise.ExplainTaskResponse, error) {
		return client.ExplainTask(ctx, &reprise.ExplainTaskRequest{Name: name, Task: task})
	}
	checked, err := ask("check")
	if err != nil {
		return err
	}
	reused, err := ask("multiply")
	if err != nil {
		return err
	}
	_, missing := ask("none")
	differences := checked.Comparison.GetDifferences()
	if len(differences) != 1 {
		return fmt.Errorf("expected one difference, got %v", differences)
	}
	return errors.Join(
		same(checked.Verdict.String(), "VERDICT_EXECUTE"),
		same(checked.Comparison.PipelineJob, original),
		same(differences[0].Field, "inputs.parameters.limit"),
		same(differences[0].OldValue+" "+differences[0].NewValue, "10 25"),
		same(reused.ReusedFrom.GetPipelineJob(), original),
		same(reused.Comparison.GetFinding().String(), "EQUAL"),
		same(status.Code(missing), codes.NotFound),
	)
}
