//go:build own

// What only Reprise has, by a client generated from its own protos.
package main

import (
	"context"
	"errors"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
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
		rerun := &reprise.RerunPipelineJobRequest{
			Name:            original,
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
		stream, err := client.GetTaskLog(ctx, &reprise.GetTaskLogRequest{Name: original, Task: "check"})
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
		return errors.Join(
			same(verdicts["multiply"], "VERDICT_REUSE"),
			same(verdicts["check"], "VERDICT_EXECUTE"),
			same(job.OriginalPipelineJob, original),
			same(strings.Contains(log.String(), "is over the limit"), true),
			same(isComplete, true),
		)
	}
}
