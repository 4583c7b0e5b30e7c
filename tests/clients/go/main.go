// What a user of Google's Go clients does, against a Reprise server: gRPC without TLS, the clients as they come.
// Arguments: PORT FOLDER STEPS_JSON WAITING_JSON v1|v1beta1. Every step asserts its outcome and then prints
// `ok SCENARIO`; the last line is `all good`. What really ran is read from the ledger that the tasks write. The server
// knows the project by its number too.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	betapb "cloud.google.com/go/aiplatform/apiv1beta1/aiplatformpb"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	project = "gapic-project"
	number  = "123456"
	idLabel = "vertex-ai-pipelines-run-billing-id"
)

type scenario struct {
	ctx            context.Context
	client         pipelines
	isBeta         bool
	parent         string
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
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	address, version := "127.0.0.1:"+os.Args[1], os.Args[5]
	client, err := connect(
		ctx,
		version,
		option.WithEndpoint(address),
		option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	)
	if err != nil {
		return err
	}
	s := &scenario{
		ctx:    ctx,
		client: client,
		isBeta: version == "v1beta1",
		parent: fmt.Sprintf("projects/%s/locations/go-%s-%d", project, version, time.Now().UnixNano()),
		folder: os.Args[2],
	}
	if s.steps, err = readSpec(os.Args[3]); err != nil {
		return err
	}
	if s.waiting, err = readSpec(os.Args[4]); err != nil {
		return err
	}
	var failed *betapb.PipelineJob
	var names []string
	type step struct {
		name string
		run  func() error
	}
	steps := []step{
		{"submit", func() (err error) { failed, err = s.submit(); return err }},
		{"get", func() error { return s.get(failed) }},
	}
	if s.isBeta { // v1 knows no reruns
		steps = append(steps,
			step{"rerun with parameters", func() error { return s.rerunWithParameters(failed) }},
			step{"rerun with skip", func() error { return s.rerunWithSkip(failed) }},
			step{"rerun with inputs", func() error { return s.rerunWithInputs(failed) }},
			step{"rerun refused", func() error { return s.rerunRefused(failed) }},
		)
	}
	steps = append(steps,
		step{"cancel", func() (err error) { names, err = s.cancel(); return err }},
		step{"batch cancel", func() error { return s.batchCancel(names[1:3]) }},
		step{"batch cancel by id and number", func() error { return s.batchCancelMixed(names[3]) }},
		step{"list: pages and order", s.listPages},
		step{"list: filter", func() error { return s.listFiltered(failed.Name) }},
		step{"list: read mask", func() error { return s.listMasked(failed.Name) }},
		step{"errors", func() error { return s.errors(failed.Name) }},
	)
	if s.isBeta && own != nil {
		steps = append(steps, step{"", func() error { return own(ctx, address, failed.Name) }})
	}
	steps = append(steps,
		step{"delete", func() error { return s.delete(failed.Name) }},
		step{"batch delete", func() error { return s.batchDelete(names) }},
	)
	for _, step := range steps {
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if step.name != "" { // Reprise's own calls say themselves what they have done
			fmt.Println("ok " + step.name)
		}
	}
	return nil
}

func (s *scenario) create(id string, job *betapb.PipelineJob) (*betapb.PipelineJob, error) {
	request := &betapb.CreatePipelineJobRequest{Parent: s.parent, PipelineJobId: id, PipelineJob: job}
	return s.client.create(s.ctx, request)
}

func (s *scenario) submit() (*betapb.PipelineJob, error) {
	created, err := s.create("failed", &betapb.PipelineJob{
		DisplayName:  "from go",
		Labels:       map[string]string{"team": "go"},
		PipelineSpec: s.steps,
		RuntimeConfig: &betapb.PipelineJob_RuntimeConfig{
			GcsOutputDirectory: filepath.Join(s.folder, "root"),
			ParameterValues:    map[string]*structpb.Value{"ledger": structpb.NewStringValue(s.ledger("steps"))},
		},
	})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(
		same(created.Name, s.parent+"/pipelineJobs/failed"),
		same(created.State, betapb.PipelineState_PIPELINE_STATE_PENDING),
	); err != nil {
		return nil, err
	}
	return s.ended(created.Name)
}

func (s *scenario) get(failed *betapb.PipelineJob) error {
	return errors.Join(
		same(failed.State, betapb.PipelineState_PIPELINE_STATE_FAILED),
		same(states(failed), map[string]string{
			"prepare": "SUCCEEDED", "multiply": "SUCCEEDED", "check": "FAILED", "publish": "NOT_TRIGGERED",
		}),
		same(detail(failed, "multiply").Execution.Metadata.Fields["output:product"].GetNumberValue(), 14.0),
		same(detail(failed, "prepare").Outputs["data"].Artifacts[0].SchemaTitle, "system.Dataset"),
		same(failed.Error.GetMessage() != "", true),
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
	created, err := s.create(id, &betapb.PipelineJob{
		OriginalPipelineJobId:    originalID,
		PipelineTaskRerunConfigs: configs,
		PipelineSpec:             s.steps,
		RuntimeConfig:            &betapb.PipelineJob_RuntimeConfig{ParameterValues: parameters},
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
	job, err := s.rerun(failed, "corrected", map[string]*structpb.Value{"limit": structpb.NewNumberValue(20)}, nil)
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
	job, err := s.rerun(failed, "skipped", nil, asked)
	if err != nil {
		return err
	}
	return same(states(job), map[string]string{
		"prepare": "SKIPPED", "multiply": "SKIPPED", "check": "SKIPPED", "publish": "SUCCEEDED",
	})
}

func (s *scenario) rerunWithInputs(failed *betapb.PipelineJob) error {
	job, err := s.rerun(failed, "inputs", nil, withInput("factor"))
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

func (s *scenario) rerunRefused(failed *betapb.PipelineJob) error {
	_, undeclared := s.rerun(failed, "refused", nil, withInput("undeclared"))
	_, gone := s.create("", &betapb.PipelineJob{OriginalPipelineJobId: 1, PipelineSpec: s.steps})
	_, withoutOriginal := s.create("", &betapb.PipelineJob{
		PipelineTaskRerunConfigs: []*betapb.PipelineTaskRerunConfig{{TaskId: 1}}, PipelineSpec: s.steps,
	})
	return errors.Join(
		refused("an undeclared input", undeclared, codes.InvalidArgument),
		refused("no such original", gone, codes.NotFound),
		refused("configs without an original", withoutOriginal, codes.InvalidArgument),
	)
}

func (s *scenario) waitingJob(ledger string) *betapb.PipelineJob {
	return &betapb.PipelineJob{
		PipelineSpec: s.waiting,
		RuntimeConfig: &betapb.PipelineJob_RuntimeConfig{
			ParameterValues: map[string]*structpb.Value{"ledger": structpb.NewStringValue(s.ledger(ledger))},
		},
	}
}

func (s *scenario) cancel() ([]string, error) {
	var names []string
	for _, id := range []string{"long-1", "long-2", "long-3", "long-4"} {
		job, err := s.create(id, s.waitingJob(id))
		if err != nil {
			return nil, err
		}
		names = append(names, job.Name)
	}
	isWaiting := func() (bool, error) { return slices.Contains(s.ran("long-1"), "wait"), nil }
	if err := s.until("a task waits", isWaiting); err != nil {
		return nil, err
	}
	if err := s.client.cancel(s.ctx, names[0]); err != nil {
		return nil, err
	}
	job, err := s.ended(names[0])
	if err != nil {
		return nil, err
	}
	return names, errors.Join(
		same(job.State, betapb.PipelineState_PIPELINE_STATE_CANCELLED),
		same(job.Error.GetCode(), int32(codes.Canceled)),
		s.client.cancel(s.ctx, names[0]), // again: nothing changes
	)
}

func (s *scenario) batchCancel(names []string) error {
	jobs, hasTime, operation, err := s.client.batchCancel(s.ctx, s.parent, names)
	if err != nil {
		return err
	}
	again, err := s.client.operation(s.ctx, operation)
	return errors.Join(
		err,
		same(sorted(jobs), names),
		same(hasTime, true),
		same(again.GetName(), operation),
		same(again.GetDone(), true),
	)
}

// batchCancelMixed is Google's sample: the parent by the project's id, the names by its number.
func (s *scenario) batchCancelMixed(name string) error {
	mixed := strings.Replace(name, project, number, 1)
	jobs, _, _, err := s.client.batchCancel(s.ctx, s.parent, []string{mixed})
	if err != nil {
		return err
	}
	job, err := s.client.get(s.ctx, mixed)
	return errors.Join(err, same(sorted(jobs), []string{name}), same(job.GetName(), name))
}

func (s *scenario) listPages() error {
	every, _, _, err := s.client.list(s.ctx, &betapb.ListPipelineJobsRequest{Parent: s.parent})
	if err != nil {
		return err
	}
	expected := 5
	if s.isBeta {
		expected = 8
	}
	oldest, pages, token, err := s.client.list(
		s.ctx, &betapb.ListPipelineJobsRequest{Parent: s.parent, PageSize: 2, OrderBy: "create_time"},
	)
	if err != nil {
		return err
	}
	newest := named(every)
	slices.Reverse(newest)
	if err := errors.Join(
		same(len(every), expected), same(pages, (expected+1)/2), same(named(oldest), newest),
	); err != nil {
		return err
	}
	for _, order := range []string{"display_name", "update_time desc", "end_time desc"} {
		found, _, _, err := s.client.list(
			s.ctx, &betapb.ListPipelineJobsRequest{Parent: s.parent, PageSize: 3, OrderBy: order},
		)
		if err := errors.Join(err, same(sorted(found), sorted(every))); err != nil {
			return err
		}
	}
	_, _, _, err = s.client.list(
		s.ctx, &betapb.ListPipelineJobsRequest{Parent: s.parent, PageToken: token, Filter: "state=FAILED"},
	)
	return refused("a token with another filter", err, codes.InvalidArgument)
}

func (s *scenario) listFiltered(failed string) error {
	var cancelled []string
	for _, id := range []string{"long-4", "long-3", "long-2", "long-1"} {
		cancelled = append(cancelled, s.parent+"/pipelineJobs/"+id)
	}
	for _, one := range []struct {
		filter   string
		expected []string
	}{
		{`state="PIPELINE_STATE_FAILED"`, []string{failed}},
		{`labels.team="go"`, []string{failed}},
		{`labels.team:*`, []string{failed}},
		{`display_name="from g*" AND NOT state="PIPELINE_STATE_CANCELLED"`, []string{failed}},
		{`state="PIPELINE_STATE_CANCELLED" AND (labels.team="x" OR NOT labels.team:*)`, cancelled},
		{`create_time>"2200-01-01T00:00:00Z"`, nil},
		{`pipeline_job_user_id="failed" AND end_time>"2000-01-01T00:00:00Z"`, []string{failed}},
		{`pipeline_name:"client-steps*" AND labels.team=go`, []string{failed}},
	} {
		request := &betapb.ListPipelineJobsRequest{Parent: s.parent, Filter: one.filter}
		found, _, _, err := s.client.list(s.ctx, request)
		if err := errors.Join(err, same(named(found), one.expected)); err != nil {
			return fmt.Errorf("%s: %w", one.filter, err)
		}
	}
	request := &betapb.ListPipelineJobsRequest{Parent: s.parent, Filter: "no_such_field=1"}
	_, _, _, err := s.client.list(s.ctx, request)
	return refused("an unknown field", err, codes.InvalidArgument)
}

func (s *scenario) listMasked(failed string) error {
	masked := func(paths ...string) (*betapb.PipelineJob, error) {
		found, _, _, err := s.client.list(s.ctx, &betapb.ListPipelineJobsRequest{
			Parent: s.parent, Filter: "state=FAILED", ReadMask: &fieldmaskpb.FieldMask{Paths: paths},
		})
		if err := errors.Join(err, same(len(found), 1)); err != nil {
			return nil, err
		}
		return found[0], nil
	}
	plain, err := masked("name", "state")
	if err != nil {
		return err
	}
	expected := &betapb.PipelineJob{Name: failed, State: betapb.PipelineState_PIPELINE_STATE_FAILED}
	if !proto.Equal(plain, expected) {
		return fmt.Errorf("expected %v, got %v", expected, plain)
	}
	inside, err := masked("job_detail.task_details.task_name")
	if err != nil {
		return err
	}
	var tasks []string
	for _, task := range inside.JobDetail.TaskDetails {
		tasks = append(tasks, task.TaskName)
	}
	slices.Sort(tasks)
	return same(tasks, []string{"check", "multiply", "prepare", "publish"})
}

func (s *scenario) errors(failed string) error {
	none := s.parent + "/pipelineJobs/none"
	elsewhere := strings.Replace(none, project, "other", 1)
	invalid := codes.InvalidArgument
	for _, one := range []struct {
		text string
		code codes.Code
		call func() error
	}{
		{"get", codes.NotFound, func() error { _, err := s.client.get(s.ctx, none); return err }},
		{"cancel", codes.NotFound, func() error { return s.client.cancel(s.ctx, none) }},
		{"delete", codes.NotFound, func() error { return s.client.delete(s.ctx, none) }},
		{"batch cancel", codes.NotFound, func() error { return s.batchCancel([]string{failed, none}) }},
		{"batch delete", codes.NotFound, func() error { return s.batchDelete([]string{failed, none}) }},
		{"operation", codes.NotFound, func() error {
			_, err := s.client.operation(s.ctx, s.parent+"/operations/1")
			return err
		}},
		{"an empty batch", invalid, func() error { return s.batchCancel(nil) }},
		{"a batch of another project", invalid, func() error { return s.batchCancel([]string{elsewhere}) }},
		{"the same id", codes.AlreadyExists, func() error {
			_, err := s.create("failed", s.waitingJob("x"))
			return err
		}},
		{"no id", invalid, func() error { _, err := s.create("Not An Id", s.waitingJob("x")); return err }},
		{"no spec", invalid, func() error { _, err := s.create("", &betapb.PipelineJob{}); return err }},
		{"no pipeline", invalid, func() error {
			noSpec, _ := structpb.NewStruct(map[string]any{"a": 1})
			_, err := s.create("", &betapb.PipelineJob{PipelineSpec: noSpec})
			return err
		}},
		{"a parameter is missing", invalid, func() error {
			_, err := s.create("", &betapb.PipelineJob{PipelineSpec: s.waiting})
			return err
		}},
	} {
		if err := refused(one.text, one.call(), one.code); err != nil {
			return err
		}
	}
	running, err := s.create("running", s.waitingJob("running"))
	if err != nil {
		return err
	}
	deleted := s.client.delete(s.ctx, running.Name)
	if err := errors.Join(
		refused("delete of a run that runs", deleted, codes.FailedPrecondition),
		s.client.cancel(s.ctx, running.Name),
	); err != nil {
		return err
	}
	_, err = s.ended(running.Name)
	return err
}

func (s *scenario) delete(name string) error {
	if err := s.client.delete(s.ctx, name); err != nil {
		return err
	}
	_, err := s.client.get(s.ctx, name)
	return refused("a deleted run", err, codes.NotFound)
}

func (s *scenario) batchDelete(names []string) error {
	jobs, err := s.client.batchDelete(s.ctx, s.parent, names)
	if err != nil {
		return err
	}
	_, gone := s.client.get(s.ctx, names[0])
	return errors.Join(same(sorted(jobs), names), refused("a deleted run", gone, codes.NotFound))
}

func (s *scenario) ended(name string) (*betapb.PipelineJob, error) {
	var job *betapb.PipelineJob
	err := s.until(name+" has ended", func() (bool, error) {
		var err error
		job, err = s.client.get(s.ctx, name)
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

func withInput(name string) map[string]*betapb.PipelineTaskRerunConfig {
	return map[string]*betapb.PipelineTaskRerunConfig{"multiply": {Inputs: &betapb.PipelineTaskRerunConfig_Inputs{
		ParameterValues: map[string]*structpb.Value{name: structpb.NewNumberValue(1)},
	}}}
}

func named(jobs []*betapb.PipelineJob) []string {
	var names []string
	for _, job := range jobs {
		names = append(names, job.Name)
	}
	return names
}

func sorted(jobs []*betapb.PipelineJob) []string {
	names := named(jobs)
	slices.Sort(names)
	return names
}

func same(found, expected any) error {
	if !reflect.DeepEqual(found, expected) {
		return fmt.Errorf("expected %v, got %v", expected, found)
	}
	return nil
}

// refused says what is wrong with a refusal: its code, or that it tells no reason of Reprise's.
func refused(text string, err error, expected codes.Code) error {
	if status.Code(err) != expected {
		return fmt.Errorf("%s: expected %v, got %v", text, expected, err)
	}
	failure, _ := apierror.FromError(err)
	if failure.Domain() != "reprise" || failure.Reason() == "" {
		return fmt.Errorf("%s: no reason in %v", text, err)
	}
	return nil
}
