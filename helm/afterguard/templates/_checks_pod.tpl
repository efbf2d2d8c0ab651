{{/* Checks of the pods: how many, how they start, end and are replaced, and what is in them. */}}

{{- define "afterguard.check.replicas" -}}
{{- $keda := .Values.autoscaling.keda.enabled -}}
{{- $partitions := .Values.topics.partitions -}}
{{- if and $partitions (not $keda) (gt (int .Values.replicaCount) (int $partitions)) }}
replicaCount is {{ int .Values.replicaCount }} while topics.partitions is {{ int $partitions }}: a worker without a partition does nothing
{{- end }}
{{- if and (include "afterguard.severalWorkers" .) (include "afterguard.setting" (dict "root" . "section" "kafka" "field" "group_instance_id")) }}
settings.kafka.group_instance_id would be the name of all workers, and each would throw the other out of the group: leave it out
{{- end }}
{{- end -}}

{{- define "afterguard.check.grace" -}}
{{- $needed := int (include "afterguard.graceNeeded" .) -}}
{{- $given := int (include "afterguard.gracePeriod" .) -}}
{{- if lt $given $needed }}
terminationGracePeriodSeconds is {{ $given }} and a drain may take {{ $needed }}: delivery.drain_timeout_s + engine.stop_timeout_s + 40; leave it out to have it computed
{{- end }}
{{- end -}}

{{- define "afterguard.check.start" -}}
{{- if regexMatch "^(127\\.|localhost$|::1$)" .Values.http.host }}
http.host is {{ .Values.http.host }}: probes and readers of metrics come from outside the pod and would find nobody; 0.0.0.0, or :: where there is IPv6 alone
{{- end }}
{{- $budget := int (include "afterguard.startupBudget" .) -}}
{{- $deadline := int (include "afterguard.progressDeadline" .) -}}
{{- $config := include "afterguard.config" . | fromYaml -}}
{{- $engine := ceil (float64 (dig "engine" "start_timeout_s" 1800.0 $config)) | int -}}
{{- if lt $budget $engine }}
startupProbe gives up after {{ $budget }} s while settings.engine.start_timeout_s is {{ $engine }}: raise startupProbe.failureThreshold, or the model is never loaded
{{- end }}
{{- if le $deadline $budget }}
progressDeadlineSeconds is {{ $deadline }} and a start may take {{ $budget }} s: a rollout would count as failed while the model loads; leave it out to have it computed
{{- end }}
{{- end -}}

{{- define "afterguard.check.rollout" -}}
{{- $strategy := .Values.strategy -}}
{{- if and (eq $strategy.type "RollingUpdate") (regexMatch "^0%?$" (toString $strategy.maxSurge)) (regexMatch "^0%?$" (toString $strategy.maxUnavailable)) }}
strategy.maxSurge and strategy.maxUnavailable are both 0: no rollout could begin
{{- end }}
{{- end -}}

{{- define "afterguard.check.disruptions" -}}
{{- $pdb := .Values.podDisruptionBudget -}}
{{- $most := kindIs "invalid" $pdb.maxUnavailable | not -}}
{{- $least := kindIs "invalid" $pdb.minAvailable | not -}}
{{- if $pdb.enabled }}
{{- if and $most $least }}
podDisruptionBudget.maxUnavailable and podDisruptionBudget.minAvailable: Kubernetes takes one of the two; set the other to null
{{- else if not (or $most $least) }}
podDisruptionBudget is enabled with neither maxUnavailable nor minAvailable: give one of the two
{{- else if and $most (regexMatch "^0%?$" (toString $pdb.maxUnavailable)) }}
podDisruptionBudget.maxUnavailable is 0: no node with a worker could ever be drained
{{- else if and $least (not .Values.autoscaling.keda.enabled) (or (eq "100%" (toString $pdb.minAvailable)) (and (not (kindIs "string" $pdb.minAvailable)) (ge (int $pdb.minAvailable) (int .Values.replicaCount)))) }}
podDisruptionBudget.minAvailable is {{ $pdb.minAvailable }} of {{ int .Values.replicaCount }}: no node with a worker could ever be drained
{{- end }}
{{- end }}
{{- end -}}

{{- define "afterguard.check.image" -}}
{{- $image := .Values.image -}}
{{- if and (hasPrefix "latest" $image.tag) (not $image.digest) }}
image.tag is {{ $image.tag }}: name a version, so that every worker runs the same one and a rollback goes back
{{- end }}
{{- if regexMatch "(@|:[^/]*$)" $image.repository }}
image.repository {{ $image.repository }} holds a tag or a digest: write it into image.tag or image.digest
{{- end }}
{{- end -}}

{{- define "afterguard.check.rights" -}}
{{- range $name, $context := dict "podSecurityContext" .Values.podSecurityContext "containerSecurityContext" .Values.containerSecurityContext }}
{{- if and (hasKey $context "runAsUser") (not (kindIs "invalid" $context.runAsUser)) (eq (int $context.runAsUser) 0) }}
{{ $name }}.runAsUser is 0: the worker never runs as root; any other number will do
{{- end }}
{{- end }}
{{- end -}}
