{{/* A pod of one command that needs no engine: of the topics' Job, and of the test. */}}
{{- define "afterguard.commandPod" -}}
{{- $root := .root -}}
automountServiceAccountToken: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
enableServiceLinks: false
restartPolicy: Never
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ .name }}
    image: {{ include "afterguard.smallImage" $root | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: {{ toJson .args }}
    env:
      - name: AFTERGUARD_CONFIG
        value: /etc/afterguard/afterguard.yaml
      - name: HOME
        value: /tmp
      {{- if eq $root.Values.engine.kind "vllm" }}
      # The engine has a GPU and a model to look at in the worker alone.
      - name: AFTERGUARD_ENGINE__KIND
        value: "null"
      {{- end }}
      {{- with include "afterguard.secretEnv" $root | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with $root.Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- with $root.Values.extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    resources:
      requests: {cpu: 100m, memory: 512Mi}
      limits: {memory: 1Gi}
    securityContext:
      {{- toYaml $root.Values.containerSecurityContext | nindent 6 }}
    volumeMounts:
      {{- include "afterguard.configMounts" (dict "root" $root "config" .config) | nindent 6 }}
      - name: tmp
        mountPath: /tmp
      {{- with $root.Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  {{- include "afterguard.configVolumes" (dict "root" $root "config" .config) | nindent 2 }}
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
  {{- with $root.Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
