// What a user of Google's Go clients does, against a Reprise server: gRPC without TLS, the clients as they come.
// Arguments: PORT FOLDER STEPS_JSON WAITING_JSON. Every step asserts its outcome and then prints `ok SCENARIO`; the
// last line is `all good`. What really ran is read from the ledger that the tasks write.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	aiplatform "cloud.google.com/go/aiplatform/apiv1"
	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	beta "cloud.google.com/go/aiplatform/apiv1beta1"
	betapb "cloud.google.com/go/aiplatform/apiv1beta1/aiplatformpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	parent  = "projects/go-project/locations/europe-west4"
	idLabel = "vertex-ai-pipelines-run-billing-id"
)

type scenario struct {
	ctx            context.Context
	client         *aiplatform.PipelineClient
	beta           *beta.PipelineClient
	folder         string
	steps, waiting *structpb.Struct
}

// own is set where a client generated from Reprise's own protos is built in.
var own func(ctx context.Context, address, original string) error

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("all good")
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	address := "127.0.0.1:" + os.Args[1]
	options := []option.ClientOption{
		option.WithEndpoint(address),
		option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
	client, err := aiplatform.NewPipelineClient(ctx, options...)
	if err != nil {
		return err
	}
	defer client.Close()
	betaClient, err := beta.NewPipelineClient(ctx, options...)
	if err != nil {
		return err
	}
	defer betaClient.Close()
	s := &scenario{ctx: ctx, client: client, beta: betaClient, folder: os.Args[2]}
	if s.steps, err = readSpec(os.Args[3]); err != nil {
		return err
	}
	if s.waiting, err = readSpec(os.Args[4]); err != nil {
		return err
	}
	failed, err := s.submit()
	if err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	fmt.Println("ok submit")
	var names []string
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"rerun with parameters", func() error { return s.rerunWithParameters(failed) }},
		{"rerun with skip", func() error { return s.rerunWithSkip(failed) }},
		{"rerun with inputs", func() error { return s.rerunWithInputs(failed) }},
		{"cancel", func() (err error) { names, err = s.cancel(); return err }},
		{"batch cancel", func() error { return s.batchCancel(names[1:]) }},
		{"list", func() error { return s.list(failed.Name) }},
		{"errors", func() error { return s.errors(failed) }},
		{"own calls", func() error {
			if own == nil {
				return nil
			}
			return own(ctx, address, failed.Name)
		}},
		{"delete", func() error { return s.delete(failed.Name) }},
		{"batch delete", func() error { return s.batchDelete(names) }},
	} {
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if step.name != "own calls" {
			fmt.Println("ok " + step.name)
		}
	}
	return nil
}

func (s *scenario) submit() (*betapb.PipelineJob, error) {
	created, err := s.client.CreatePipelineJob(s.ctx, &pb.CreatePipelineJobRequest{
		Parent:        parent,
		PipelineJobId: "go-failed",
		PipelineJob: &pb.PipelineJob{
			DisplayName:  "from go",
			Labels:       map[string]string{"team": "go"},
			PipelineSpec: s.steps,
			RuntimeConfig: &pb.PipelineJob_RuntimeConfig{
				GcsOutputDirectory: filepath.Join(s.folder, "root"),
				ParameterValues:    map[string]*structpb.Value{"ledger": structpb.NewStringValue(s.ledger("steps"))},
			},
		},
	})
	if err != nil {
		return nil, err
	}
	if created.Name != parent+"/pipelineJobs/go-failed" {
		return nil, fmt.Errorf("it is named %s", created.Name)
	}
	failed, err := s.ended(created.Name)
	if err != nil {
		return nil, err
	}
	return failed, errors.Join(
		same(failed.State, betapb.PipelineState_PIPELINE_STATE_FAILED),
		same(states(failed), map[string]string{
			"prepare": "SUCCEEDED", "multiply": "SUCCEEDED", "check": "FAILED", "publish": "NOT_TRIGGERED",
		}),
		same(detail(failed, "multiply").Execution.Metadata.Fields["output:product"].GetNumberValue(), 14.0),
		same(detail(failed, "prepare").Outputs["data"].Artifacts[0].SchemaTitle, "system.Dataset"),
	)
}

// rerun sends what Vertex's clients send: a v1beta1 Create with the original's id and a config for each of its tasks.
func (s *scenario) rerun(
	original *betapb.PipelineJob, id string, parameters map[string]*structpb.Value,
	asked map[string]*betapb.PipelineTaskRerunConfig,
) (*betapb.PipelineJob, error) {
	originalID, err := strconv.ParseInt(original.Labels[idLabel], 10, 64)
	if err != nil {
		return nil, err
	}
	var configs []*betapb.PipelineTaskRerunConfig
	for _, task := range original.JobDetail.TaskDetails {
		config := &betapb.PipelineTaskRerunConfig{SkipTask: task.State == betapb.PipelineTaskDetail_SUCCEEDED}
		if named := asked[task.TaskUniqueName]; named != nil {
			config = named
		}
		config.TaskId, config.TaskName = task.TaskId, task.TaskUniqueName
		configs = append(configs, config)
	}
	created, err := s.beta.CreatePipelineJob(s.ctx, &betapb.CreatePipelineJobRequest{
		Parent:        parent,
		PipelineJobId: id,
		PipelineJob: &betapb.PipelineJob{
			OriginalPipelineJobId:    originalID,
			PipelineTaskRerunConfigs: configs,
			PipelineSpec:             s.steps,
			RuntimeConfig:            &betapb.PipelineJob_RuntimeConfig{ParameterValues: parameters},
		},
	})
	if err != nil {
		return nil, err
	}
	job, err := s.ended(created.Name)
	if err != nil {
		return nil, err
	}
	return job, same(job.OriginalPipelineJobId, originalID)
}

func (s *scenario) rerunWithParameters(failed *betapb.PipelineJob) error {
	job, err := s.rerun(failed, "go-corrected", map[string]*structpb.Value{"limit": structpb.NewNumberValue(20)}, nil)
	if err != nil {
		return err
	}
	return errors.Join(
		same(states(job), map[string]string{
			"prepare": "SKIPPED", "multiply": "SKIPPED", "check": "SUCCEEDED", "publish": "SUCCEEDED",
		}),
		same(s.ran("steps"), []string{"prepare", "multiply", "check", "check", "publish"}),
	)
}

func (s *scenario) rerunWithSkip(failed *betapb.PipelineJob) error {
	asked := map[string]*betapb.PipelineTaskRerunConfig{"check": {SkipTask: true}}
	job, err := s.rerun(failed, "go-skipped", nil, asked)
	if err != nil {
		return err
	}
	return same(states(job), map[string]string{
		"prepare": "SKIPPED", "multiply": "SKIPPED", "check": "SKIPPED", "publish": "SUCCEEDED",
	})
}

func (s *scenario) rerunWithInputs(failed *betapb.PipelineJob) error {
	asked := map[string]*betapb.PipelineTaskRerunConfig{"multiply": {Inputs: &betapb.PipelineTaskRerunConfig_Inputs{
		ParameterValues: map[string]*structpb.Value{"factor": structpb.NewNumberValue(1)},
	}}}
	job, err := s.rerun(failed, "go-inputs", nil, asked)
	if err != nil {
		return err
	}
	return errors.Join(
		same(states(job), map[string]string{
			"prepare": "SKIPPED", "multiply": "SUCCEEDED", "check": "SUCCEEDED", "publish": "SUCCEEDED",
		}),
		same(detail(job, "multiply").Execution.Metadata.Fields["output:product"].GetNumberValue(), 7.0),
	)
}

func (s *scenario) cancel() ([]string, error) {
	var names []string
	for _, id := range []string{"go-long-1", "go-long-2", "go-long-3"} {
		job, err := s.client.CreatePipelineJob(s.ctx, &pb.CreatePipelineJobRequest{
			Parent:        parent,
			PipelineJobId: id,
			PipelineJob: &pb.PipelineJob{
				PipelineSpec: s.waiting,
				RuntimeConfig: &pb.PipelineJob_RuntimeConfig{
					ParameterValues: map[string]*structpb.Value{"ledger": structpb.NewStringValue(s.ledger(id))},
				},
			},
		})
		if err != nil {
			return nil, err
		}
		names = append(names, job.Name)
	}
	isWaiting := func() (bool, error) { return contains(s.ran("go-long-1"), "wait"), nil }
	if err := s.until("a task waits", isWaiting); err != nil {
		return nil, err
	}
	if err := s.client.CancelPipelineJob(s.ctx, &pb.CancelPipelineJobRequest{Name: names[0]}); err != nil {
		return nil, err
	}
	job, err := s.ended(names[0])
	if err != nil {
		return nil, err
	}
	return names, errors.Join(
		same(job.State, betapb.PipelineState_PIPELINE_STATE_CANCELLED),
		same(job.Error.GetCode(), int32(codes.Canceled)),
	)
}

func (s *scenario) batchCancel(names []string) error {
	operation, err := s.client.BatchCancelPipelineJobs(s.ctx, &pb.BatchCancelPipelineJobsRequest{
		Parent: parent, Names: names,
	})
	if err != nil {
		return err
	}
	response, err := operation.Wait(s.ctx)
	if err != nil {
		return err
	}
	metadata, err := operation.Metadata()
	if err != nil {
		return err
	}
	if metadata.GetGenericMetadata().GetCreateTime() == nil {
		return errors.New("the operation's metadata has no time")
	}
	var cancelled []string
	for _, job := range response.PipelineJobs {
		cancelled = append(cancelled, job.Name)
	}
	sort.Strings(cancelled)
	return same(cancelled, names)
}

func (s *scenario) list(failed string) error {
	every, err := s.names(&pb.ListPipelineJobsRequest{Parent: parent, PageSize: 2, OrderBy: "create_time"})
	if err != nil {
		return err
	}
	some, err := s.names(&pb.ListPipelineJobsRequest{
		Parent:   parent,
		Filter:   `labels.team="go"`,
		ReadMask: &fieldmaskpb.FieldMask{Paths: []string{"name", "state"}},
	})
	if err != nil {
		return err
	}
	return errors.Join(same(len(every), 7), same(every[0], failed), same(some, []string{failed}))
}

func (s *scenario) names(request *pb.ListPipelineJobsRequest) ([]string, error) {
	var names []string
	jobs := s.client.ListPipelineJobs(s.ctx, request)
	for {
		job, err := jobs.Next()
		if errors.Is(err, iterator.Done) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names = append(names, job.Name)
	}
}

func (s *scenario) errors(failed *betapb.PipelineJob) error {
	_, missing := s.client.GetPipelineJob(s.ctx, &pb.GetPipelineJobRequest{Name: parent + "/pipelineJobs/none"})
	_, again := s.client.CreatePipelineJob(s.ctx, &pb.CreatePipelineJobRequest{
		Parent: parent, PipelineJobId: "go-failed", PipelineJob: &pb.PipelineJob{
			PipelineSpec:  s.waiting,
			RuntimeConfig: &pb.PipelineJob_RuntimeConfig{ParameterValues: map[string]*structpb.Value{"ledger": structpb.NewStringValue("x")}},
		},
	})
	_, withoutSpec := s.client.CreatePipelineJob(s.ctx, &pb.CreatePipelineJobRequest{
		Parent: parent, PipelineJob: &pb.PipelineJob{},
	})
	_, unknownTask := s.rerun(failed, "go-refused", nil, map[string]*betapb.PipelineTaskRerunConfig{
		"multiply": {Inputs: &betapb.PipelineTaskRerunConfig_Inputs{
			ParameterValues: map[string]*structpb.Value{"undeclared": structpb.NewNumberValue(1)},
		}},
	})
	return errors.Join(
		code(missing, codes.NotFound),
		code(again, codes.AlreadyExists),
		code(withoutSpec, codes.InvalidArgument),
		code(unknownTask, codes.InvalidArgument),
		code(
			s.client.CancelPipelineJob(s.ctx, &pb.CancelPipelineJobRequest{Name: parent + "/pipelineJobs/none"}),
			codes.NotFound,
		),
	)
}

func (s *scenario) delete(name string) error {
	operation, err := s.client.DeletePipelineJob(s.ctx, &pb.DeletePipelineJobRequest{Name: name})
	if err != nil {
		return err
	}
	if err := operation.Wait(s.ctx); err != nil {
		return err
	}
	_, err = s.beta.GetPipelineJob(s.ctx, &betapb.GetPipelineJobRequest{Name: name})
	return code(err, codes.NotFound)
}

func (s *scenario) batchDelete(names []string) error {
	operation, err := s.beta.BatchDeletePipelineJobs(s.ctx, &betapb.BatchDeletePipelineJobsRequest{
		Parent: parent, Names: names,
	})
	if err != nil {
		return err
	}
	response, err := operation.Wait(s.ctx)
	if err != nil {
		return err
	}
	return same(len(response.PipelineJobs), len(names))
}

func (s *scenario) ended(name string) (*betapb.PipelineJob, error) {
	var job *betapb.PipelineJob
	err := s.until(name+" has ended", func() (bool, error) {
		var err error
		job, err = s.beta.GetPipelineJob(s.ctx, &betapb.GetPipelineJobRequest{Name: name})
		return err == nil && job.EndTime != nil, err
	})
	return job, err
}

func (s *scenario) until(text string, isSo func() (bool, error)) error {
	for {
		if is, err := isSo(); is || err != nil {
			return err
		}
		select {
		case <-s.ctx.Done():
			return fmt.Errorf("never: %s", text)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *scenario) ledger(name string) string {
	return filepath.Join(s.folder, name+".ledger")
}

func (s *scenario) ran(name string) []string {
	data, _ := os.ReadFile(s.ledger(name))
	return strings.Fields(string(data))
}

func readSpec(path string) (*structpb.Struct, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	spec := &structpb.Struct{}
	return spec, protojson.Unmarshal(data, spec)
}

func states(job *betapb.PipelineJob) map[string]string {
	found := map[string]string{}
	for _, task := range job.JobDetail.TaskDetails {
		found[task.TaskUniqueName] = task.State.String()
	}
	return found
}

func detail(job *betapb.PipelineJob, name string) *betapb.PipelineTaskDetail {
	for _, task := range job.JobDetail.TaskDetails {
		if task.TaskUniqueName == name {
			return task
		}
	}
	return nil
}

func contains(all []string, one string) bool {
	for _, each := range all {
		if each == one {
			return true
		}
	}
	return false
}

func same(found, expected any) error {
	if !reflect.DeepEqual(found, expected) {
		return fmt.Errorf("expected %v, got %v", expected, found)
	}
	return nil
}

func code(err error, expected codes.Code) error {
	return same(status.Code(err).String(), expected.String())
}
