{{/* What KEDA is told: how it logs in to the brokers, what it counts, and what is refused. */}}

{{/* KEDA's name for our way to log in; nothing without one. */}}
{{- define "afterguard.kedaSasl" -}}
{{- if hasPrefix "sasl" (lower .Values.kafka.securityProtocol) -}}
{{- get (dict "PLAIN" "plaintext" "SCRAM-SHA-256" "scram_sha256" "SCRAM-SHA-512" "scram_sha512" "OAUTHBEARER" "oauthbearer") .Values.kafka.sasl.mechanism -}}
{{- end -}}
{{- end -}}

{{/* The most workers: what was said, else one for each partition. */}}
{{- define "afterguard.maxReplicas" -}}
{{- $most := .Values.autoscaling.keda.maxReplicaCount -}}
{{- if kindIs "invalid" $most }}{{ $most = .Values.topics.partitions }}{{ end -}}
{{- int $most -}}
{{- end -}}

{{/*
What the TriggerAuthentication holds: {parameter, secret, key}, or {parameter, text} for what is no
secret but is taken by KEDA from there alone. From the same values as the worker's own log-in.
*/}}
{{- define "afterguard.kedaParameters" -}}
{{- $found := list -}}
{{- if not .Values.autoscaling.keda.lag.authenticationRef.name -}}
{{- $tls := .Values.kafka.tls -}}
{{- if hasSuffix "ssl" (lower .Values.kafka.securityProtocol) -}}
{{- $ca := default $tls.existingSecret $tls.caSecret -}}
{{- if and $ca $tls.caKey -}}
{{- $found = append $found (dict "parameter" "ca" "secret" $ca "key" $tls.caKey) -}}
{{- end -}}
{{- if $tls.existingSecret -}}
{{- range $name, $parameter := dict "certKey" "cert" "keyKey" "key" "keyPasswordKey" "keyPassword" -}}
{{- with index $tls $name -}}
{{- $found = append $found (dict "parameter" $parameter "secret" $tls.existingSecret "key" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $sasl := .Values.kafka.sasl -}}
{{- $way := include "afterguard.kedaSasl" . -}}
{{- if eq $way "oauthbearer" -}}
{{- with .Values.autoscaling.keda.lag.oauth -}}
{{- if eq .tokenProvider "bearer" -}}
{{- $found = append $found (dict "parameter" "username" "secret" .existingSecret "key" .clientIdKey) -}}
{{- $found = append $found (dict "parameter" "password" "secret" .existingSecret "key" .clientSecretKey) -}}
{{- range $parameter, $text := dict "oauthTokenEndpointUri" .tokenEndpointUri "scopes" .scopes "oauthExtensions" .extensions -}}
{{- if $text }}{{ $found = append $found (dict "parameter" $parameter "text" $text) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- else if $way -}}
{{- if $sasl.usernameKey -}}
{{- $found = append $found (dict "parameter" "username" "secret" $sasl.existingSecret "key" $sasl.usernameKey) -}}
{{- else -}}
{{- $found = append $found (dict "parameter" "username" "text" $sasl.username) -}}
{{- end -}}
{{- $found = append $found (dict "parameter" "password" "secret" $sasl.existingSecret "key" $sasl.passwordKey) -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* Fields of the trigger that counts the lag; what was said in `metadata` wins. */}}
{{- define "afterguard.kedaLag" -}}
{{- $lag := .Values.autoscaling.keda.lag -}}
{{- $activation := $lag.activationThreshold -}}
{{- if kindIs "invalid" $activation -}}
{{- $activation = ternary .Values.topics.partitions 0 $lag.transactionalProducers -}}
{{- end -}}
{{- $fields := dict
  "bootstrapServers" .Values.kafka.bootstrapServers
  "consumerGroup" .Values.kafka.groupId
  "topic" .Values.topics.events
  "lagThreshold" (toString (int $lag.threshold))
  "activationLagThreshold" (toString (int $activation))
  "offsetResetPolicy" "earliest"
  "excludePersistentLag" "false"
  "scaleToZeroOnInvalidOffset" "false"
  "allowIdleConsumers" (toString $lag.allowIdleConsumers)
  "limitToPartitionsWithLag" (toString $lag.limitToPartitionsWithLag)
  "ensureEvenDistributionOfPartitions" (toString $lag.ensureEvenDistributionOfPartitions)
-}}
{{- if hasSuffix "ssl" (lower .Values.kafka.securityProtocol) }}{{ $_ := set $fields "tls" "enable" }}{{ end -}}
{{- with include "afterguard.kedaSasl" . -}}
{{- $_ := set $fields "sasl" . -}}
{{- if eq . "oauthbearer" -}}
{{- with $lag.oauth.tokenProvider }}{{ $_ := set $fields "saslTokenProvider" . }}{{ end -}}
{{- with $lag.oauth.awsRegion }}{{ $_ := set $fields "awsRegion" . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toYaml (mergeOverwrite $fields (deepCopy $lag.metadata)) -}}
{{- end -}}

{{/*
Seconds that the oldest event without a verdict has waited. 0 while workers are read and none waits;
no answer while none is read, which is an error for KEDA (ignoreNullValues) and not a reason to have
fewer of them.
*/}}
{{- define "afterguard.kedaAgeQuery" -}}
{{- with .Values.autoscaling.keda.oldestAge.query -}}
{{- . -}}
{{- else -}}
{{- $here := printf "namespace=%q,pod=~%q" .Release.Namespace (printf "%s-.+" (include "afterguard.fullname" .)) -}}
max(afterguard_oldest_unjudged_seconds{ {{- $here }},lane!="backfill"}) or max(0 * afterguard_build_info{ {{- $here -}} })
{{- end -}}
{{- end -}}

{{- define "afterguard.kedaAge" -}}
{{- $age := .Values.autoscaling.keda.oldestAge -}}
{{- $fields := dict
  "serverAddress" $age.serverAddress
  "query" (include "afterguard.kedaAgeQuery" .)
  "threshold" (toString (int $age.targetSeconds))
  "ignoreNullValues" "false"
-}}
{{- toYaml (mergeOverwrite $fields (deepCopy $age.metadata)) -}}
{{- end -}}

{{- define "afterguard.check.keda" -}}
{{- $keda := .Values.autoscaling.keda -}}
{{- if $keda.enabled -}}
{{- $partitions := .Values.topics.partitions -}}
{{- $most := int (include "afterguard.maxReplicas" .) -}}
{{- $fields := include "afterguard.kedaLag" . | fromYaml -}}
{{- if not $most }}
topics.partitions is needed with autoscaling.keda.enabled, or autoscaling.keda.maxReplicaCount: a worker without a partition does nothing
{{- else }}
{{- if and $partitions (gt $most (int $partitions)) (ne (toString $fields.allowIdleConsumers) "true") }}
autoscaling.keda.maxReplicaCount is {{ $most }} while topics.partitions is {{ int $partitions }}: a worker without a partition does nothing; autoscaling.keda.lag.allowIdleConsumers if they shall stand by
{{- end }}
{{- if gt (int $keda.minReplicaCount) $most }}
autoscaling.keda.minReplicaCount is {{ int $keda.minReplicaCount }}, above the {{ $most }} that there may be: autoscaling.keda.maxReplicaCount, else topics.partitions
{{- end }}
{{- range $keda.cron }}
{{- if gt (int .desiredReplicas) $most }}
autoscaling.keda.cron asks for {{ int .desiredReplicas }} workers, above the {{ $most }} that there may be: autoscaling.keda.maxReplicaCount, else topics.partitions
{{- end }}
{{- end }}
{{- if and $keda.fallback.replicas (gt (int $keda.fallback.replicas) $most) }}
autoscaling.keda.fallback.replicas is {{ int $keda.fallback.replicas }}, above the {{ $most }} that there may be: autoscaling.keda.maxReplicaCount, else topics.partitions
{{- end }}
{{- end }}
{{- if eq (toString $fields.limitToPartitionsWithLag) "true" -}}
{{- range $name := list "allowIdleConsumers" "ensureEvenDistributionOfPartitions" -}}
{{- if eq (toString (get $fields $name)) "true" }}
autoscaling.keda.lag.limitToPartitionsWithLag and autoscaling.keda.lag.{{ $name }}: KEDA takes one of the two
{{- end }}
{{- end -}}
{{- end }}
{{- if $keda.lag.transactionalProducers }}
{{- if not $partitions }}
topics.partitions is needed with autoscaling.keda.lag.transactionalProducers: the marks of transactions leave a lag of 1 in each
{{- else if lt (int $fields.activationLagThreshold) (int $partitions) }}
autoscaling.keda.lag.activationThreshold is {{ $fields.activationLagThreshold }}: the marks of transactions leave a lag of 1 in each of {{ int $partitions }} partitions, which would keep a worker for nothing; {{ int $partitions }} or more
{{- end }}
{{- end }}
{{- if and $keda.oldestAge.enabled (not $keda.oldestAge.serverAddress) }}
autoscaling.keda.oldestAge.serverAddress is needed with autoscaling.keda.oldestAge.enabled: your Prometheus, such as http://prometheus.monitoring:9090
{{- end }}
{{- if and $keda.paused (not (kindIs "invalid" $keda.pausedReplicas)) }}
autoscaling.keda.paused and autoscaling.keda.pausedReplicas: give one of the two
{{- end }}
{{- include "afterguard.kedaLogInFaults" . }}
{{- end -}}
{{- end -}}

{{/* A log-in that the worker can use and KEDA cannot. */}}
{{- define "afterguard.kedaLogInFaults" -}}
{{- $lag := .Values.autoscaling.keda.lag -}}
{{- $way := include "afterguard.kedaSasl" . -}}
{{- if not $lag.authenticationRef.name -}}
{{- if eq $way "oauthbearer" }}
{{- $oauth := $lag.oauth }}
{{- if not $oauth.tokenProvider }}
autoscaling.keda.lag.oauth.tokenProvider is needed: KEDA cannot use the worker's OAUTHBEARER token. bearer, aws_msk_iam, or a TriggerAuthentication of yours in autoscaling.keda.lag.authenticationRef.name
{{- else if eq $oauth.tokenProvider "bearer" }}
{{- range $name := list "existingSecret" "clientIdKey" "clientSecretKey" "tokenEndpointUri" }}
{{- if not (index $oauth $name) }}
autoscaling.keda.lag.oauth.{{ $name }} is needed for tokenProvider bearer
{{- end }}
{{- end }}
{{- else }}
{{- if not $oauth.awsRegion }}
autoscaling.keda.lag.oauth.awsRegion is needed for tokenProvider aws_msk_iam
{{- end }}
{{- if ne (lower $.Values.kafka.securityProtocol) "sasl_ssl" }}
autoscaling.keda.lag.oauth.tokenProvider aws_msk_iam needs TLS: set kafka.securityProtocol to sasl_ssl
{{- end }}
{{- end }}
{{- else if $way }}
{{- $sasl := .Values.kafka.sasl }}
{{- if or (not $sasl.existingSecret) (not (or $sasl.username $sasl.usernameKey)) }}
kafka.sasl.existingSecret and a user's name are needed for KEDA, which sees no file and no variable of the worker; or a TriggerAuthentication of yours in autoscaling.keda.lag.authenticationRef.name
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}
